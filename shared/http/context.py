"""The outermost middleware: request id, log line, metric, and a problem for what the app raises."""

import time
from collections.abc import MutableMapping
from typing import Any

import structlog
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import ProblemError
from shared.http.health import QUIET_ROUTES, note_request
from shared.http.problems import refused, too_large, unexpected
from shared.http.texts import check_texts
from shared.process import tracing
from shared.process.logging import RequestLog
from shared.process.request_id import HEADER, accepted_or_new, current_request_id
from shared.process.settings import ProcessSettings

WITHOUT_BODY = frozenset({204, 304})
"""Responses without a body must not have a media type; FastAPI's JSON responses set one."""

PLAIN_TEXT = (b"content-type", b"text/plain; charset=utf-8")

log = structlog.get_logger()


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
        if tracing.is_on() and scope["path"] not in QUIET_ROUTES:
            await self._serve_traced(scope, receive, send)
        else:
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = dict(scope["headers"]).get(HEADER.lower().encode(), b"").decode("latin-1")
        request_id = accepted_or_new(sent)
        reset = current_request_id.set(request_id)
        try:
            await self._answer(scope, receive, send, request_id)
        finally:
            current_request_id.reset(reset)

    async def _serve_traced(self, scope: Scope, receive: Receive, send: Send) -> None:
        parent = tracing.parent_of(scope["headers"])
        with tracing.span(scope["method"], kind="server", parent=parent):
            await self._serve(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        started = time.perf_counter()
        status = 0
        instead: Response | None = None

        async def send_with_id(message: Message) -> None:
            nonlocal status, instead
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = list(message.get("headers", ()))
                if status == 413 and PLAIN_TEXT in headers:
                    # Starlette's response to a declared length over the limit, body unread.
                    instead = too_large(scope)
                    headers = list(instead.raw_headers)
                if status in WITHOUT_BODY:
                    headers = [header for header in headers if header[0] != b"content-type"]
                headers.append((HEADER.lower().encode(), request_id.encode()))
                message["headers"] = headers
            elif instead is not None:
                message = {**message, "body": instead.body}
            await send(message)

        try:
            check_texts(scope)
            await self._app(scope, receive, send_with_id)
        except Exception as exc:  # the edge of the process: every failure becomes an answer
            if status:
                log.exception("answer_broken_off", path=_route(scope))
                raise
            answer = (
                refused(scope, exc)
                if isinstance(exc, ProblemError)
                else unexpected(exc, request_id)
            )
            await answer(scope, receive, send_with_id)
        finally:
            self._record(scope, status, time.perf_counter() - started)

    def _record(self, scope: MutableMapping[str, Any], status: int, duration_s: float) -> None:
        route = _route(scope)
        note_request(self._service, scope["method"], route, status=status, duration_s=duration_s)
        if route in QUIET_ROUTES:
            return
        tracing.answered(scope["method"], route, status)
        tracing.note({"tabularium.request_id": current_request_id.get()})
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
    """Route by the path as it was sent; `Segment` decodes its parts afterwards."""
    if raw_path := scope.get("raw_path"):
        scope["path"] = raw_path.decode("latin-1").partition("?")[0]


def _route(scope: MutableMapping[str, Any]) -> str:
    route = scope.get("route")
    return str(getattr(route, "path", None) or "unrouted")
