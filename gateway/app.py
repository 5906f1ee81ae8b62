"""The ASGI application: own paths, or a service's; one log line for whatever is not a success."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack

import structlog
from starlette.types import Receive, Scope, Send

from gateway.dependencies import GatewayState, gateway_state
from gateway.errors import ClientGoneError, MethodNotAllowedError, RouteUnknownError
from gateway.incoming import Incoming, read_head
from gateway.metrics import answers_broken_off, requests_running
from gateway.proxy import Exchange, Stopping
from gateway.reply import Reply
from gateway.routing import rule_for
from gateway.settings import GatewaySettings
from shared.errors import ProblemError
from shared.health import request_seconds
from shared.request_id import accepted_or_new, current_request_id

OwnPath = Callable[[GatewayState, Incoming, Reply], Awaitable[None]]
"""Answers a GET (or HEAD) of one of the gateway's own paths."""

QUIET_ROUTES = ("/healthz", "/readyz", "/metrics")

log = structlog.get_logger()


class Gateway:
    """One process's application; `stopping` is set by the server when it is asked to stop."""

    def __init__(self, settings: GatewaySettings, own_paths: Mapping[str, OwnPath]) -> None:
        self.settings = settings
        self.stopping = Stopping()
        self._own_paths = own_paths
        self._state: GatewayState | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the process's life."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with AsyncExitStack() as stack:
            self._state = await stack.enter_async_context(gateway_state(self.settings))
            await send({"type": "lifespan.startup.complete"})
            await receive()
            self.stopping.set()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = self._state
        if state is None:
            raise RuntimeError("the server did not run the application's lifespan")
        started = time.perf_counter()
        record = _Record(method=scope["method"])
        requests_running.inc()
        try:
            try:
                incoming = read_head(scope, trusted_proxies=self.settings.trusted_proxies)
            except ProblemError as exc:
                reply = Reply(send, accepted_or_new(None))
                current_request_id.set(reply.request_id)
                await reply.problem(exc, close=True)
            else:
                reply = Reply(send, incoming.request_id)
                current_request_id.set(incoming.request_id)
                await self._answer(state, incoming, receive, reply, record)
        finally:
            requests_running.dec()
        _tell(record, reply, time.perf_counter() - started)

    async def _answer(
        self,
        state: GatewayState,
        incoming: Incoming,
        receive: Receive,
        reply: Reply,
        record: "_Record",
    ) -> None:
        try:
            await self._find_answer(state, incoming, receive, reply, record)
        except ClientGoneError:
            record.broken_because = "client_left"
        except ProblemError as exc:
            if reply.status:
                record.broken_because = exc.code
            else:
                await reply.problem(exc, close=incoming.has_body)
        except asyncio.CancelledError:
            raise
        except Exception as exc:  # the edge of the process: every failure becomes an answer
            log.exception("unexpected_error", path=incoming.path)
            if reply.status:
                record.broken_because = type(exc).__name__
            else:
                await reply.problem(
                    ProblemError(
                        f"the error is in our logs under the request id {incoming.request_id}"
                    ),
                    close=True,
                )

    async def _find_answer(
        self,
        state: GatewayState,
        incoming: Incoming,
        receive: Receive,
        reply: Reply,
        record: "_Record",
    ) -> None:
        own, record.route = self._own_path(incoming.path)
        if own is not None:
            if incoming.method not in ("GET", "HEAD"):
                raise MethodNotAllowedError("this path only knows GET", headers={"Allow": "GET"})
            await own(state, incoming, reply)
            return
        rule = rule_for(incoming.path)
        if rule is None:
            raise RouteUnknownError("there is nothing here; /docs lists every call")
        record.route = state.documents.templates.match(incoming.path) or rule.path
        exchange = Exchange(
            state.session,
            self.settings,
            state.upstreams[rule.service],
            incoming=incoming,
            receive=receive,
            reply=reply,
            stopping=self.stopping,
        )
        await exchange.run()

    def _own_path(self, path: str) -> tuple[OwnPath | None, str]:
        own = self._own_paths.get(path)
        if own is not None:
            return own, path
        folder = path.rpartition("/")[0]
        own = self._own_paths.get(f"{folder}/*")
        return (own, f"{folder}/*") if own is not None else (None, "unrouted")


class _Record:
    """What the log line of one request will say."""

    __slots__ = ("broken_because", "method", "route", "subject")

    def __init__(self, *, method: str) -> None:
        self.method = method
        self.route = "unrouted"
        self.subject: str | None = None
        self.broken_because: str | None = None


def _tell(record: _Record, reply: Reply, duration_s: float) -> None:
    status = reply.status
    request_seconds.labels("gateway", record.method, record.route, str(status)).observe(duration_s)
    if record.broken_because is not None:
        answers_broken_off.labels(record.broken_because).inc()
        log.warning(
            "answer_broken_off",
            method=record.method,
            route=record.route,
            status=status,
            because=record.broken_because,
            duration_ms=round(duration_s * 1000, 1),
        )
    if 200 <= status < 300 or status == 0 or record.route in QUIET_ROUTES:
        return
    fields = {
        "method": record.method,
        "route": record.route,
        "status": status,
        "duration_ms": round(duration_s * 1000, 1),
        "subject": record.subject,
        "code": reply.code,
    }
    if status < 400:
        log.info("answer_redirects", **fields)
        return
    log.error("answer_refused", **fields)
