"""The way of one request to its service: nothing is taken for it before its sender is known."""

from dataclasses import dataclass, replace

from starlette.types import Receive

from gateway.admission import Sender, admit
from gateway.bodies import WHOLE_BYTES, PacedReceive, piece, read_whole, replayed
from gateway.incoming import Incoming
from gateway.process import GatewayState
from gateway.proxy import Exchange, Stopping
from gateway.reply import Reply
from gateway.routing import Rule
from shared.errors import TooLargeError

PUBLIC_BODY_BYTES = 64 * 1024
"""No sign-in needs a larger body."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One request, its body still to come."""

    state: GatewayState
    incoming: Incoming
    receive: PacedReceive
    reply: Reply
    sender: Sender

    async def of_public_call(self, rule: Rule, *, stopping: Stopping) -> None:
        """Read the body, by which some rate limits go, then pass all on."""
        body = b""
        if self.incoming.has_body:
            with self.state.bodies.one_more(self.sender.share):
                body = await read_whole(self.receive, limit_bytes=PUBLIC_BODY_BYTES)
        await admit(self.state, self.incoming, self.sender, self.reply, body=body)
        await self._exchange(rule, stopping, body=body)

    async def of_callers_only(self, rule: Rule, *, stopping: Stopping) -> None:
        """Refuse it without a good access token, before its body is read."""
        await admit(self.state, self.incoming, self.sender, self.reply)
        if self.sender.refusal is not None:
            raise self.sender.refusal
        incoming = self.incoming
        limit_bytes = self.state.settings.body_limit_bytes
        if not rule.takes_files and (incoming.length or 0) > limit_bytes:
            raise TooLargeError(
                f"the body of this call has at most {limit_bytes} bytes", limit_bytes=limit_bytes
            )
        if not incoming.has_body:
            await self._exchange(rule, stopping, body=b"")
            return
        # A client that waits for `100 Continue` with a file gets it from the service.
        waits = incoming.expects_continue and rule.takes_files
        start = b"" if waits else await piece(self.receive)
        if self.receive.complete:
            await self._exchange(rule, stopping, body=start)
            return
        with self.state.bodies.one_more(self.sender.share):
            while not (waits or self.receive.complete or len(start) > WHOLE_BYTES):
                start += await piece(self.receive)
            if not self.receive.complete:
                receive = self.receive if waits else replayed(start, self.receive)
                await self._exchange(rule, stopping, receive=receive)
                return
        await self._exchange(rule, stopping, body=start)

    async def _exchange(
        self,
        rule: Rule,
        stopping: Stopping,
        *,
        body: bytes | None = None,
        receive: Receive | None = None,
    ) -> None:
        """Pass the request on, with its whole body or with one that still comes."""
        incoming = self.incoming
        if receive is None and incoming.expects_continue:
            # The reading has sent `100 Continue`.
            incoming = replace(incoming, expects_continue=False)
        exchange = Exchange(
            self.state.session,
            self.state.settings,
            self.state.upstreams[rule.service],
            incoming=incoming,
            receive=receive or self.receive,
            body=body,
            reply=self.reply,
            stopping=stopping,
        )
        await exchange.run()
