"""The records service's process: `uvicorn services.records.main:create_app --factory`."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from fastapi import FastAPI, Request

from services.records.clients import CatalogClient, SubjectClient
from services.records.dependencies import RecordsState
from services.records.routes import routers, verbs
from services.records.routes.fast_path import FRONT, FrontDoor
from services.records.service.known_tables import KnownTables, Stores
from services.records.settings import RecordsSettings
from services.records.tasks import background
from shared.http.app import build_app
from shared.http.context import RequestContext
from shared.http.peers import PeerClient, TokenSource, http_client
from shared.security.tokens import Verifier
from shared.store.engine import database_engine, database_pool, probe_engine

SESSION = {
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "iso_8601",
    # Statements are short, and compiling them takes longer than running them.
    "jit": "off",
}
"""How values are read and written: times in UTC, everything in ISO 8601."""


def create_app(settings: RecordsSettings | None = None) -> FastAPI:
    """The records service; settings come from the environment unless a test gives them."""
    chosen = settings or RecordsSettings()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        url = chosen.database_url.get_secret_value()
        async with http_client() as http, _stores(chosen, url) as stores:
            tokens = TokenSource(http, chosen)
            auth = PeerClient(http, tokens, base_url=chosen.auth_url)
            catalog = PeerClient(http, tokens, base_url=chosen.catalog_url)
            verifier = Verifier(
                http,
                jwks_url=f"{chosen.auth_url}/.well-known/jwks.json",
                issuer=chosen.token_issuer,
                audience=chosen.token_audience,
            )
            state = RecordsState(
                settings=chosen,
                verifier=verifier,
                stores=stores,
                subjects=SubjectClient(auth),
            )
            async with background(stores, CatalogClient(catalog), database_url=url):
                yield {"state": state}

    app = build_app(
        chosen,
        service="records",
        title="Tabularium records",
        routers=(*routers, verbs.router),
        lifespan=lifespan,
        probes={"postgresql": _probe_database},
    )
    app.middleware_stack = FrontDoor(
        app.build_middleware_stack(),
        FRONT,
        around=lambda answer: RequestContext(answer, service="records", settings=chosen),
    )
    return app


@asynccontextmanager
async def _stores(settings: RecordsSettings, url: str) -> AsyncIterator[Stores]:
    async with (
        database_engine(
            url,
            application_name="tabularium-records:engine",
            pool_size=settings.engine_pool_size,
            server_settings=SESSION,
        ) as engine,
        database_pool(
            url,
            application_name="tabularium-records:records",
            size=settings.database_pool_size,
            server_settings={
                **SESSION,
                "statement_timeout": f"{settings.statement_timeout_s * 1000:.0f}ms",
            },
            reset=_nothing_to_reset,
        ) as pool,
        database_pool(
            url,
            application_name="tabularium-records:export",
            size=settings.export_pool_size,
            server_settings=SESSION,
        ) as exports,
    ):
        yield Stores(
            engine=engine,
            pool=pool,
            exports=exports,
            known=KnownTables(pool),
            outbox_wake=asyncio.Event(),
        )


async def _nothing_to_reset(_connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Settings are only ever changed with SET LOCAL, and nothing is listened to in this pool."""


async def _probe_database(request: Request) -> None:
    state: RecordsState = request.state.state
    await probe_engine(state.engine)
