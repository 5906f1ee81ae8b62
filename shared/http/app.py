"""The app factory of the four services: `build_app`.

A service names what differs: its settings, what its process holds, routers, further probes.
"""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar, overload

from fastapi import APIRouter, FastAPI, Request
from fastapi.routing import APIRoute
from sqlalchemy import Table

import shared.http.segment  # noqa: F401 - `{name:segment}` must be known before a route is made
from shared import __version__
from shared.http.context import RequestContext
from shared.http.health import Probe, health_router
from shared.http.idempotency import HasEngine, Idempotency, MayHave, document_keys
from shared.http.problems import PROBLEM_RESPONSES, add_problem_handlers
from shared.process.duties import Duty, on_duty
from shared.process.logging import configure_logging
from shared.process.settings import ProcessSettings
from shared.store.engine import probe_engine
from shared.store.idempotency import PURGE_EVERY_S, purge
from shared.store.transaction import Bookkeeping

MIB = 1024 * 1024
STREAMED = 2**63 - 1
"""`max_body_size` of a route that reads its body as a stream and limits it itself."""


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
    books: Bookkeeping | None = None,
    may_have: MayHave | None = None,
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
    books: Bookkeeping | None = None,
    may_have: MayHave | None = None,
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
    books: Bookkeeping | None = None,
    may_have: MayHave | None = None,
) -> FastAPI:
    """Build a service's app.

    What `opened` yields is held until the app stops; routes read it as `request.state.process`.
    `/readyz` asks PostgreSQL through its `engine`, and `probes` what else there is: each is given
    the process and raises unless the dependency of its name answers.

    A body over `body_limit_bytes` is 413, whether its length was declared or not; a router or a
    route with a `max_body_size` of its own keeps that, `STREAMED` for one that counts itself.

    `books` names the service's table of idempotency keys, which then hold on its POSTs; a first
    answer is given again unless `may_have` raises.

    With `lifespan` in place of `opened`: it yields `{"state": …}`, probes take the request, and
    bodies have no limit but the routers' own.
    """
    configure_logging(service=service, level=settings.log_level, log_format=settings.log_format)
    if opened is None:
        body_limit_bytes = None
    else:
        lifespan = _lifespan(functools.partial(opened, settings))
        probes = _probes(probes)
    keys = None if books is None else books.idempotency
    if keys is not None:
        assert lifespan is not None
        lifespan = _purging(lifespan, keys)
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
            responses=PROBLEM_RESPONSES,
            max_body_size=body_limit_bytes,
        )
    app.include_router(health_router(probes), max_body_size=body_limit_bytes)
    add_problem_handlers(app)
    if keys is not None:
        document_keys(app)
        app.add_middleware(Idempotency, table=keys, may_have=may_have)
    app.add_middleware(RequestContext, service=service, settings=settings)
    return app


def _lifespan(opened: Callable[[], AbstractAsyncContextManager[Any]]) -> Lifespan:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        async with opened() as process:
            yield {"process": process, "state": process}

    return lifespan


def _purging(lifespan: Lifespan, keys: Table) -> Lifespan:
    @asynccontextmanager
    async def purging(app: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        async with lifespan(app) as state:
            step = functools.partial(purge, state["state"].engine, keys)
            async with on_duty(Duty("idempotency", step, every_s=PURGE_EVERY_S)):
                yield state

    return purging


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
