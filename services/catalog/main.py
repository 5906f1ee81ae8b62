"""The catalog's process: `uvicorn services.catalog.main:create_app --factory`."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request

from services.catalog import actions
from services.catalog.clients import IngestClient, RecordsClient
from services.catalog.dependencies import CatalogState
from services.catalog.routes import routers
from services.catalog.service.details import Peers
from services.catalog.settings import CatalogSettings
from shared.http.app import build_app
from shared.http.peers import PeerClient, TokenSource, http_client
from shared.security.tokens import Verifier
from shared.store.engine import database_engine, probe_engine

MERGES_AT_A_TIME = 2


def create_app(settings: CatalogSettings | None = None) -> FastAPI:
    """The catalog; settings come from the environment unless a test gives them."""
    chosen = settings or CatalogSettings()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        async with (
            http_client() as http,
            database_engine(
                chosen.database_url.get_secret_value(),
                application_name="catalog",
                pool_size=chosen.database_pool_size,
            ) as engine,
        ):
            tokens = TokenSource(http, chosen)
            peers = Peers(
                records=RecordsClient(PeerClient(http, tokens, base_url=chosen.records_url)),
                ingest=IngestClient(PeerClient(http, tokens, base_url=chosen.ingest_url)),
            )
            verifier = Verifier(
                http,
                jwks_url=f"{chosen.auth_url}/.well-known/jwks.json",
                issuer=chosen.token_issuer,
                audience=chosen.token_audience,
            )
            state = CatalogState(
                engine=engine,
                verifier=verifier,
                peers=peers,
                merges=asyncio.Semaphore(MERGES_AT_A_TIME),
            )
            yield {"state": state}

    return build_app(
        chosen,
        service="catalog",
        title="Tabularium catalog",
        routers=(*routers, actions.router),
        lifespan=lifespan,
        probes={"postgresql": _probe_database},
    )


async def _probe_database(request: Request) -> None:
    state: CatalogState = request.state.state
    await probe_engine(state.engine)
