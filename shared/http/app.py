"""The app factory of the four services: `build_app`.

A service passes what differs: its settings, the state of its process, its routers, further probes.
"""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel
from sqlalchemy import Table

import shared.http.segment  # noqa: F401 - `{name:segment}` must be known before a route is made
from shared import __version__
from shared.http.context import RequestContext
from shared.http.health import health_router
from shared.http.idempotency import HasEngine, Idempotency, MayHave, document_keys
from shared.http.messages import document_messages
from shared.http.methods import HeadWhereGetIs
from shared.http.parameters import KnownParameters
from shared.http.problems import PROBLEM_RESPONSES, add_problem_handlers
from shared.http.token_first import TokenFirst
from shared.process.duties import Duty, on_duty
from shared.process.logging import configure_logging
from shared.process.metrics import metrics_served
from shared.process.settings import ProcessSettings
from shared.process.tracing import traced
from shared.store.idempotency import PURGE_EVERY_S, purge
from shared.store.pooler import probe_engine
from shared.store.transaction import Bookkeeping

MIB = 1024 * 1024
STREAMED = 2**63 - 1
"""`max_body_size` of a route that reads its body as a stream and enforces a limit of its own."""

Settings = TypeVar("Settings", bound=ProcessSettings)
Process = TypeVar("Process", bound=HasEngine)


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
    messages: Mapping[str, type[BaseModel]] = {},
) -> FastAPI:
    """Build a service's app.

    `opened` is entered at startup and left at shutdown; routes read what it yields as
    `request.state.process`. `/readyz` checks PostgreSQL through its `engine` and calls `probes`
    with the process; a probe raises unless the dependency it is named after responds.

    A body over `body_limit_bytes` is answered with 413, whether or not its length was declared. A
    `max_body_size` of a router or a route overrides the limit; `STREAMED` lifts it.

    `books` names the service's table of idempotency keys, which then hold on its POSTs; a first
    answer is given again unless `may_have` raises.

    `messages` are the bodies of what the service sends to webhooks, by event.
    """
    configure_logging(service=service, level=settings.log_level, log_format=settings.log_format)
    keys = None if books is None else books.idempotency

    app = FastAPI(
        title=title,
        version=__version__,
        lifespan=_lifespan(settings, service, opened, keys),
        docs_url=None,
        redoc_url=None,
        openapi_url="/internal/openapi.json",
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    for router in routers:
        app.include_router(router, responses=PROBLEM_RESPONSES, max_body_size=body_limit_bytes)
    health = health_router(
        {"postgresql": _probe_postgresql, **probes}, with_metrics=settings.metrics_port is None
    )
    app.include_router(health, max_body_size=body_limit_bytes)
    add_problem_handlers(app)
    if keys is not None:
        document_keys(app)
        app.add_middleware(Idempotency, table=keys, may_have=may_have)
    if messages:
        document_messages(app, messages)
    app.add_middleware(KnownParameters, routes=app.routes)
    app.add_middleware(HeadWhereGetIs, routes=app.routes)
    app.add_middleware(TokenFirst, routes=app.routes)
    app.add_middleware(RequestContext, service=service, settings=settings)
    return app


def _lifespan(
    settings: Settings,
    service: str,
    opened: Callable[[Settings], AbstractAsyncContextManager[Process]],
    keys: Table | None,
) -> Callable[[FastAPI], AbstractAsyncContextManager[Mapping[str, Process]]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[Mapping[str, Process]]:
        async with (
            metrics_served(settings),
            traced(settings, service=service),
            opened(settings) as process,
            on_duty(*_duties(process, keys)),
        ):
            yield {"process": process}

    return lifespan


def _duties(process: HasEngine, keys: Table | None) -> Iterator[Duty]:
    if keys is not None:
        step = functools.partial(purge, process.engine, keys)
        yield Duty("idempotency", step, every_s=PURGE_EVERY_S)


async def _probe_postgresql(process: HasEngine) -> None:
    await probe_engine(process.engine)


def _operation_id(route: APIRoute) -> str:
    # Stable and readable: the function's name; routes name their functions `tables_create`.
    return route.name
