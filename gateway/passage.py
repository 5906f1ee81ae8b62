"""The way of one request to its service: nothing is taken for it before its sender is known."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.types import Receive

from gateway.admission import Sender, admit, admit_in_turn
from gateway.bodies import WHOLE_BYTES, PacedReceive, piece, read_whole, replayed
from gateway.incoming import Incoming
from gateway.process import GatewayState
from gateway.proxy import Exchange, Stopping
from gateway.reply import Reply
from gateway.routing import Rule
from shared.errors import TooLargeError

PUBLIC_BODY_BYTES = 64 * 1024
"""No sign-in needs a larger body."""


@dataclass(slots=True)
class Passage:
    """One request, its body still to come."""

    state: GatewayState
    incoming: Incoming
    receive: Receive
    reply: Reply
    sender: Sender
    stopping: Stopping

    async def of_public_call(self, rule: Rule) -> None:
        """Read the body, by which some rate limits go, then pass all on."""
        body = b""
        if self.incoming.has_body:
            receive = PacedReceive(self.receive, self.state.settings)
            with self.state.bodies.one_more(self.sender.share):
                body = await read_whole(receive, limit_bytes=PUBLIC_BODY_BYTES)
        await admit(self.state, self.incoming, self.sender, self.reply, body=body)
        await self._exchange(rule, self.receive, body=body)

    async def of_callers_only(self, rule: Rule) -> None:
        """Refuse it without a good access token, before its body is read."""
        if rule.waits:
            await admit_in_turn(self.state, self.incoming, self.sender, self.reply)
        else:
            await admit(self.state, self.incoming, self.sender, self.reply)
        if self.sender.refusal is not None:
            raise self.sender.refusal
        incoming = self.incoming
        limit_bytes = self.state.settings.body_limit_bytes
        if not rule.takes_files and (incoming.length or 0) > limit_bytes:
            raise TooLargeError(
                f"the body of this call has at most {limit_bytes} bytes", limit_bytes=limit_bytes
            )
        if incoming.has_body:
            await self._with_body(rule, PacedReceive(self.receive, self.state.settings))
        else:
            await self._exchange(rule, self.receive, body=b"")

    async def _with_body(self, rule: Rule, receive: PacedReceive) -> None:
        # A client that waits for `100 Continue` with a file gets it from the service.
        waits = self.incoming.expects_continue and rule.takes_files
        start = b"" if waits else await piece(receive)
        if receive.complete:
            await self._exchange(rule, receive, body=start)
            return
        async with self._place(rule):
            while not (waits or receive.complete or len(start) > WHOLE_BYTES):
                start += await piece(receive)
            if not receive.complete:
                rest = receive if waits else replayed(start, receive)
                await self._exchange(rule, rest, body=None)
                return
        await self._exchange(rule, receive, body=start)

    @asynccontextmanager
    async def _place(self, rule: Rule) -> AsyncIterator[None]:
        """One of the sender's places for bodies that come in pieces."""
        bodies, share = self.state.bodies, self.sender.share
        if rule.waits:
            async with bodies.in_turn(share):
                yield
        else:
            with bodies.one_more(share):
                yield

    async def _exchange(self, rule: Rule, receive: Receive, *, body: bytes | None) -> None:
        """Pass the request on, with its whole body or (None) with one that `receive` gives.

        It waits for its turn while the sender has as many with the services as it may.
        """
        settings = self.state.settings
        exchange = Exchange(
            self.state.session,
            settings,
            self.state.upstreams[rule.service],
            incoming=self.incoming,
            receive=receive,
            body=body,
            reply=self.reply,
            stopping=self.stopping,
        )
        exchanges, who = self.state.exchanges, self.sender.share
        if exchanges.is_full(who):
            await exchanges.freed(who, wait_s=None if rule.waits else settings.answer_timeout_s)
        # An asynchronous context manager here takes the gateway 5 % of its CPU time.
        exchanges.take(who)
        try:
            await exchange.run()
        finally:
            exchanges.give_back(who)
