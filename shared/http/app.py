"""The app factory: request ids, logging, problem documents and the operator's routes.

What differs between services (routers, lifespan, probes) is given; nothing else is.
"""

import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import shared.http.segment  # noqa: F401 - `{name:segment}` must be known before a route is made
from shared.contracts.problem import PROBLEM_MEDIA_TYPE, FieldError, ProblemDocument
from shared.errors import ProblemError, problem_document
from shared.http.health import Probe, health_router, request_seconds
from shared.process.logging import RequestLog, configure_logging
from shared.process.request_id import HEADER, accepted_or_new, current_request_id
from shared.process.settings import ProcessSettings
from shared.store.away import is_away

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[Mapping[str, Any]]]

log = structlog.get_logger()

TITLES = {
    404: "Not found",
    405: "Method not allowed",
    413: "Too large",
    415: "Unsupported media type",
}

WITHOUT_BODY = frozenset({204, 304})
"""Nothing follows these, so no media type is named either; FastAPI's JSON answers name one."""


def build_app(
    settings: ProcessSettings,
    *,
    service: str,
    title: str,
    routers: Sequence[APIRouter],
    lifespan: Lifespan,
    probes: Mapping[str, Probe],
) -> FastAPI:
    """Build a service's app.

    Its lifespan yields `{"state": …}`, which routes read as `request.state.state`. Probes raise
    unless the dependency of their name answers.
    """
    configure_logging(service=service, level=settings.log_level, log_format=settings.log_format)
    app = FastAPI(
        title=title,
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/internal/openapi.json",
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    for router in routers:
        app.include_router(router, responses=PROBLEM_RESPONSES)
    app.include_router(health_router(probes))
    app.add_exception_handler(ProblemError, _problem)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_middleware(RequestContext, service=service, settings=settings)
    return app


PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "description": "The request was refused; `code` says why.",
        "model": ProblemDocument,
        "content": {PROBLEM_MEDIA_TYPE: {}},
    },
    "5XX": {
        "description": "It failed on our side; trying again may help.",
        "model": ProblemDocument,
        "content": {PROBLEM_MEDIA_TYPE: {}},
    },
}


def _operation_id(route: APIRoute) -> str:
    # Stable and readable: the function's name; routes name their functions `tables_create`.
    return route.name


class RequestContext:
    """Gives each request its id, one log line, one metric, and a problem if the app raises."""

    def __init__(self, app: ASGIApp, service: str, settings: ProcessSettings) -> None:
        self._app = app
        self._service = service
        self._requests = RequestLog(
            service, level=settings.log_level, log_format=settings.log_format
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        take_raw_path(scope)
        sent = dict(scope["headers"]).get(HEADER.lower().encode(), b"").decode("latin-1")
        request_id = accepted_or_new(sent)
        reset = current_request_id.set(request_id)
        try:
            await self._answer(scope, receive, send, request_id)
        finally:
            current_request_id.reset(reset)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = list(message.get("headers", ()))
                if status in WITHOUT_BODY:
                    headers = [header for header in headers if header[0] != b"content-type"]
                headers.append((HEADER.lower().encode(), request_id.encode()))
                message["headers"] = headers
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception as exc:  # the edge of the process: every failure becomes an answer
            if status:
                log.exception("answer_broken_off", path=_route(scope))
                raise
            answer = _unexpected(exc, request_id)
            await answer(scope, receive, send_with_id)
        finally:
            self._tell(scope, status, time.perf_counter() - started)

    def _tell(self, scope: MutableMapping[str, Any], status: int, duration_s: float) -> None:
        route = _route(scope)
        request_seconds.labels(self._service, scope["method"], route, str(status)).observe(
            duration_s
        )
        if route in ("/healthz", "/readyz", "/metrics"):
            return
        fields = {
            "method": scope["method"],
            "route": route,
            "status": status,
            "duration_ms": round(duration_s * 1000, 1),
        }
        if subject := scope.get("tabularium.subject"):
            fields["subject"] = subject
        if code := scope.get("tabularium.problem"):
            fields["code"] = code
        if 200 <= status < 400:
            self._requests.info("request", **fields)
        else:
            log.error("request_refused", service=self._service, **fields)


def take_raw_path(scope: Scope) -> None:
    """Let routing see the path as it was sent; `Segment` decodes its parts afterwards."""
    if raw_path := scope.get("raw_path"):
        scope["path"] = raw_path.decode("latin-1").partition("?")[0]


def _route(scope: MutableMapping[str, Any]) -> str:
    route = scope.get("route")
    return str(getattr(route, "path", None) or "unrouted")


def problem_response(
    document: ProblemDocument, *, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """A problem document as an answer."""
    return JSONResponse(
        document.model_dump(exclude_none=True),
        status_code=document.status,
        headers=dict(headers or {}),
        media_type=PROBLEM_MEDIA_TYPE,
    )


def _unexpected(exc: Exception, request_id: str) -> JSONResponse:
    if is_away(exc):
        log.error("database_down", error=type(exc).__name__)
        return problem_response(
            problem_document(
                status=503,
                code="database_unavailable",
                title="Temporarily unavailable",
                detail="the database is away; try again in a few seconds",
                request_id=request_id,
            ),
            headers={"Retry-After": "5"},
        )
    log.error("unexpected_error", exc_info=exc)
    return problem_response(
        problem_document(
            status=500,
            code="internal_error",
            title="Something went wrong on our side",
            detail=f"the error is in our logs under the request id {request_id}",
            request_id=request_id,
        )
    )


async def _problem(request: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, ProblemError)
    request.scope["tabularium.problem"] = exc.code
    return problem_response(exc.document(request_id=current_request_id.get()), headers=exc.headers)


async def _http_exception(request: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, HTTPException)
    title = TITLES.get(exc.status_code, "Not possible")
    code = title.lower().replace(" ", "_")
    detail = str(exc.detail)
    if exc.status_code == 405 and (allowed := (exc.headers or {}).get("Allow")):
        detail = f"there is no {request.method} here, only {allowed}"
    request.scope["tabularium.problem"] = code
    return problem_response(
        problem_document(
            status=exc.status_code,
            code=code,
            title=title,
            detail=detail,
            request_id=current_request_id.get(),
        ),
        headers=dict(exc.headers or {}),
    )


async def _validation(request: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, RequestValidationError)
    request.scope["tabularium.problem"] = "invalid_input"
    errors = [_field_error(error, body=exc.body) for error in exc.errors()]
    return problem_response(
        problem_document(
            status=422,
            code="invalid_input",
            title="The input does not fit",
            detail="; ".join(f"{error.field}: {error.message}" for error in errors[:3]),
            request_id=current_request_id.get(),
            errors=errors,
        )
    )


def _field_error(error: Mapping[str, Any], *, body: object) -> FieldError:
    where = list(error["loc"])
    if len(where) > 1 and where[0] in ("body", "query", "path", "header", "cookie"):
        where = _sent(where[1:], body) if where[0] == "body" else where[1:]
    code = str(error["type"])
    message = str(error["msg"])
    if code == "extra_forbidden":
        code, message = "unknown_field", "this field is not known; leave it out"
    elif code == "json_invalid":
        message = f"this is no JSON: {error['ctx']['error']} at character {where[-1]}"
        where = ["body"]
    elif code == "value_error":
        message = str(error["ctx"]["error"])
    return FieldError(field=".".join(map(str, where)), code=code, message=message)


def _sent(where: Sequence[int | str], body: object) -> list[int | str]:
    """The way to a field as the caller sent it.

    Pydantic puts the name of a union's member in between, which nobody has sent. The last part
    may be one that is missing.
    """
    parts: list[int | str] = []
    at = body
    for part in where[:-1]:
        known_key = isinstance(at, Mapping) and part in at
        known_place = isinstance(at, list) and isinstance(part, int) and part < len(at)
        if known_key or known_place:
            at = at[part]  # type: ignore[index]
            parts.append(part)
    return [*parts, where[-1]]
