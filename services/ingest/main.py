"""The import service's API: `uvicorn services.ingest.main:create_app --factory`."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request

from services.ingest.dependencies import background, ingest_state, running_state
from services.ingest.routes import connections, database_verbs, imports, verbs
from services.ingest.settings import IngestSettings
from services.ingest.tables import BOOKS
from services.ingest.work.measure import measure_forever
from shared.http.app import build_app
from shared.store.engine import probe_engine
from shared.store.redis import probe_redis


def create_app(settings: IngestSettings | None = None) -> FastAPI:
    """The app; settings come from the environment unless a test gives them."""
    chosen = settings or IngestSettings()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        async with running_state(chosen) as state, background(measure_forever(state.steering)):
            yield {"state": state}

    return build_app(
        chosen,
        service="ingest",
        title="Tabularium: ingest",
        routers=[
            verbs.router,
            database_verbs.router,
            imports.router,
            connections.router,
            connections.sources,
            imports.internal,
        ],
        lifespan=lifespan,
        probes={"postgresql": _probe_postgresql, "redis": _probe_redis, "storage": _probe_storage},
        books=BOOKS,
    )


async def _probe_postgresql(request: Request) -> None:
    await probe_engine(ingest_state(request).engine)


async def _probe_redis(request: Request) -> None:
    await probe_redis(ingest_state(request).redis)


async def _probe_storage(request: Request) -> None:
    await ingest_state(request).storage.probe()
