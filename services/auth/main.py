"""The auth service: `uvicorn services.auth.main:create_app --factory`."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI, Request

from services.auth import actions, routes
from services.auth.dependencies import auth_state, running_state, still_admin
from services.auth.settings import AuthSettings
from services.auth.tables import BOOKS
from shared.http.app import build_app
from shared.store.engine import probe_engine

BODY_LIMIT_BYTES = 65_536
"""Far more than any body that auth wants."""


def create_app(settings: AuthSettings | None = None) -> FastAPI:
    """The app; settings come from the environment unless a test gives them."""
    chosen = settings or AuthSettings()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        async with running_state(chosen) as state:
            yield {"state": state}

    everything = APIRouter(max_body_size=BODY_LIMIT_BYTES)
    for router in (actions.router, *routes.routers):
        everything.include_router(router)
    return build_app(
        chosen,
        service="auth",
        title="Tabularium: auth",
        routers=[everything],
        lifespan=lifespan,
        probes={"postgresql": _probe_postgresql},
        books=BOOKS,
        may_have=still_admin,
    )


async def _probe_postgresql(request: Request) -> None:
    await probe_engine(auth_state(request).engine)
