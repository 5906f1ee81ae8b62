"""A receiver as people write one: it verifies with the `standardwebhooks` package."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from standardwebhooks.webhooks import Webhook

from deploy.local.processes import free_port


@dataclass(frozen=True)
class Received:
    """One call, whatever it was answered."""

    id: str
    headers: dict[str, str]
    body: bytes

    def verified(self, secret: str) -> dict[str, Any]:
        """The body; raises WebhookVerificationError when the secret did not sign it."""
        content: dict[str, Any] = Webhook(secret).verify(self.body, self.headers)
        return content


@dataclass
class Receiver:
    """A server of somebody's; it can be made to answer otherwise, or not at all."""

    port: int = field(default_factory=free_port)
    received: list[Received] = field(default_factory=list)
    answer: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    """Of its answers."""
    held: asyncio.Event = field(default_factory=asyncio.Event)
    """It answers once this is set."""
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def __post_init__(self) -> None:
        self.held.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def handle(self, request: web.Request) -> web.Response:
        received = Received(
            request.headers["webhook-id"], dict(request.headers), await request.read()
        )
        async with self.changed:
            self.received.append(received)
            self.changed.notify_all()
        await self.held.wait()
        return web.Response(status=self.answer, headers=self.headers)

    async def wait_for(self, count: int) -> list[Received]:
        """All calls, once there are so many."""
        async with asyncio.timeout(60), self.changed:
            await self.changed.wait_for(lambda: len(self.received) >= count)
        return self.received


@asynccontextmanager
async def running_receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", receiver.port).start()
    try:
        yield receiver
    finally:
        receiver.held.set()
        await runner.cleanup()
