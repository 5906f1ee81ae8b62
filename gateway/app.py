"""The ASGI application: own paths, or a service's; every failure becomes an answer here."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack

import structlog
from starlette.types import Receive, Scope, Send

from gateway.admission import admit, sender_of
from gateway.errors import ClientGoneError, MethodNotAllowedError
from gateway.incoming import Incoming, read_head
from gateway.journal import CLIENT_LEFT, Entry, record, record_unread
from gateway.metrics import requests_running
from gateway.passage import Passage
from gateway.process import GatewayState, gateway_state
from gateway.proxy import Stopping
from gateway.reply import Reply
from gateway.routing import rule_for
from gateway.settings import GatewaySettings
from shared.contracts.auth import PUBLIC_PATHS
from shared.errors import NotFoundError, ProblemError
from shared.http.health import QUIET_ROUTES
from shared.process import tracing
from shared.process.request_id import accepted_or_new, current_request_id
from shared.process.settings import MailSettings
from shared.security.tokens import KeySource

METRICS_PATH = "/metrics"
OwnPath = Callable[[GatewayState, Incoming, Reply], Awaitable[None]]
"""Answers a GET (or HEAD) of one of the gateway's own paths.

A path that ends in `/*` stands for any one part in that place, `/**` behind the first part for
everything below it.
"""

log = structlog.get_logger()


class Gateway:
    """One process's application; `stopping` is set by the server when it is asked to stop."""

    def __init__(
        self,
        settings: GatewaySettings,
        own_paths: Mapping[str, OwnPath],
        *,
        mail: MailSettings | None = None,
        keys: KeySource | None = None,
    ) -> None:
        self.settings = settings
        self.stopping = Stopping()
        self._mail = mail
        self._keys = keys
        self._own_paths = {
            path: own
            for path, own in own_paths.items()
            if path != METRICS_PATH or settings.metrics_port is None
        }
        self._state: GatewayState | None = None

    @property
    def state(self) -> GatewayState:
        """What its requests share, while it runs."""
        if self._state is None:
            raise RuntimeError("the server did not run the application's lifespan")
        return self._state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the process's life."""
        if scope["type"] == "http":
            if tracing.is_on() and scope["path"] not in QUIET_ROUTES:
                parent = tracing.parent_of(scope["headers"])
                with tracing.span(scope["method"], kind="server", parent=parent):
                    await self._serve(scope, receive, send)
            else:
                await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    def record_unread(self, status: int, code: str, request_id: str) -> None:
        """For the server: a request whose head it refused."""
        watch = self._state.watch if self._state is not None else None
        record_unread(status, code, request_id=request_id, watch=watch)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with AsyncExitStack() as stack:
            self._state = await stack.enter_async_context(
                gateway_state(self.settings, self._mail, self._keys)
            )
            await send({"type": "lifespan.startup.complete"})
            await receive()
            self.stopping.set()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = self.state
        entry = Entry(method=scope["method"])
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
                await self._answer(state, incoming, receive, reply, entry)
        finally:
            requests_running.dec()
        record(entry, reply, state.watch)

    async def _answer(
        self, state: GatewayState, incoming: Incoming, receive: Receive, reply: Reply, entry: Entry
    ) -> None:
        try:
            await self._find_answer(state, incoming, receive, reply, entry)
        except ClientGoneError:
            entry.broken_because = CLIENT_LEFT
        except ProblemError as exc:
            if reply.status:
                entry.broken_because = exc.code
            else:
                await reply.problem(exc, close=incoming.has_body)
        except asyncio.CancelledError:
            entry.broken_because = "stopped"
            raise
        except Exception as exc:  # the edge of the process: every failure becomes an answer
            log.exception("unexpected_error", route=entry.route)
            if reply.status:
                entry.broken_because = type(exc).__name__
            else:
                detail = f"the error is in our logs under the request id {incoming.request_id}"
                await reply.problem(ProblemError(detail), close=True)

    async def _find_answer(
        self, state: GatewayState, incoming: Incoming, receive: Receive, reply: Reply, entry: Entry
    ) -> None:
        own, entry.route = self._own_path(incoming.path)
        if own is not None:
            if entry.route not in QUIET_ROUTES:
                incoming, sender = await sender_of(state, incoming)
                entry.subject = sender.subject
                await admit(state, incoming, sender, reply)
            if incoming.method not in ("GET", "HEAD"):
                allowed = {"Allow": "GET, HEAD"}
                raise MethodNotAllowedError("this path only knows GET and HEAD", headers=allowed)
            await own(state, incoming, reply)
            return
        incoming, sender = await sender_of(state, incoming)
        entry.subject = sender.subject
        rule = rule_for(incoming.path)
        if rule is None:
            await admit(state, incoming, sender, reply)
            raise NotFoundError("there is nothing here; /docs lists every call")
        entry.route = state.documents.templates.match(incoming.path) or rule.path
        passage = Passage(state, incoming, receive, reply, sender, self.stopping)
        if incoming.path in PUBLIC_PATHS:
            await passage.of_public_call(rule)
        else:
            await passage.of_callers_only(rule)

    def _own_path(self, path: str) -> tuple[OwnPath | None, str]:
        own = self._own_paths.get(path)
        if own is not None:
            return own, path
        for below in (path.rpartition("/")[0] + "/*", f"/{path[1:].partition('/')[0]}/**"):
            own = self._own_paths.get(below)
            if own is not None:
                return own, below
        return None, "unrouted"
