"""The app factory of the four services: `build_app`.

A service names what differs: its settings, what its process holds, routers, further probes.
"""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, TypeVar, overload

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.routing import APIRoute
from sqlalchemy.ext.asyncio import AsyncEngine

import shared.http.segment  # noqa: F401 - `{name:segment}` must be known before a route is made
from shared import __version__
from shared.http.context import RequestContext
from shared.http.health import Probe, health_router
from shared.http.problems import PROBLEM_RESPONSES, add_problem_handlers
from shared.http.texts import texts_checked
from shared.process.logging import configure_logging
from shared.process.settings import ProcessSettings
from shared.store.engine import probe_engine

MIB = 1024 * 1024
STREAMED = 2**63 - 1
"""`max_body_size` of a route that reads its body as a stream and limits it itself."""


class HasEngine(Protocol):
    """What every service's process holds."""

    @property
    def engine(self) -> AsyncEngine:
        """The engine on the service's own tables."""
        ...


Settings = TypeVar("Settings", bound=ProcessSettings)
Process = TypeVar("Process", bound=HasEngine)
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[Mapping[str, Any]]]


@overload
def build_app(
    settings: Settings,
    *,
    service: str,
    title: str,
    opened: Callable[[Settings], AbstractAsyncContextManager[Process]],
    routers: Sequence[APIRouter],
    probes: Mapping[str, Callable[[Process], Awaitable[object]]] = {},
    body_limit_bytes: int = MIB,
) -> FastAPI: ...


@overload
def build_app(
    settings: ProcessSettings,
    *,
    service: str,
    title: str,
    routers: Sequence[APIRouter],
    lifespan: Lifespan,
    probes: Mapping[str, Probe],
) -> FastAPI: ...


def build_app(
    settings: Any,
    *,
    service: str,
    title: str,
    routers: Sequence[APIRouter],
    opened: Callable[[Any], AbstractAsyncContextManager[Any]] | None = None,
    lifespan: Lifespan | None = None,
    probes: Mapping[str, Callable[[Any], Awaitable[object]]] = {},
    body_limit_bytes: int | None = MIB,
) -> FastAPI:
    """Build a service's app.

    What `opened` yields is held until the app stops; routes read it as `request.state.process`.
    `/readyz` asks PostgreSQL through its `engine`, and `probes` what else there is: each is given
    the process and raises unless the dependency of its name answers.

    A body over `body_limit_bytes` is 413, whether its length was declared or not; a router or a
    route with a `max_body_size` of its own keeps that, `STREAMED` for one that counts itself.

    With `lifespan` in place of `opened`: it yields `{"state": …}`, probes take the request, and
    bodies have no limit but the routers' own.
    """
    configure_logging(service=service, level=settings.log_level, log_format=settings.log_format)
    if opened is None:
        body_limit_bytes = None
    else:
        lifespan = _lifespan(functools.partial(opened, settings))
        probes = _probes(probes)
    app = FastAPI(
        title=title,
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/internal/openapi.json",
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    for router in routers:
        app.include_router(
            router,
            dependencies=[Depends(texts_checked)],
            responses=PROBLEM_RESPONSES,
            max_body_size=body_limit_bytes,
        )
    app.include_router(health_router(probes), max_body_size=body_limit_bytes)
    add_problem_handlers(app)
    app.add_middleware(RequestContext, service=service, settings=settings)
    return app


def _lifespan(opened: Callable[[], AbstractAsyncContextManager[Any]]) -> Lifespan:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        async with opened() as process:
            yield {"process": process, "state": process}

    return lifespan


def _probes(further: Mapping[str, Callable[[Any], Awaitable[object]]]) -> Mapping[str, Probe]:
    async def postgresql(process: HasEngine) -> None:
        await probe_engine(process.engine)

    return {
        name: functools.partial(_probe, probe)
        for name, probe in {"postgresql": postgresql, **further}.items()
    }


async def _probe(probe: Callable[[Any], Awaitable[object]], request: Request) -> None:
    await probe(request.state.process)


def _operation_id(route: APIRoute) -> str:
    # Stable and readable: the function's name; routes name their functions `tables_create`.
    return route.name
