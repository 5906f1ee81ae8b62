"""An event loop of its own, in a thread, in which Oracle's driver runs.

Two reasons. A listener may redirect a client to any host: the driver follows through its loop's
`create_connection`, so a loop that checks each address holds the driver to the guard, and the
host's name stays with the driver for TLS. And decoding rows keeps a loop busy for milliseconds,
which must not be the loop that beats the heart of an import.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from services.ingest.connections.guard import Guard, SourceRefusedError

Result = TypeVar("Result")


class GuardedLoop(asyncio.SelectorEventLoop):
    """Connects only to addresses that the guard allows, resolved once."""

    def __init__(self, guard: Guard) -> None:
        super().__init__()
        self._guard = guard
        self.refusal: SourceRefusedError | None = None
        """The guard's last refusal; a driver raises it as an error of its own."""

    async def create_connection(
        self,
        protocol_factory: Any,
        host: str | None = None,
        port: int | None = None,
        **options: Any,
    ) -> Any:
        """Check, then connect to the checked address; raises SourceRefusedError."""
        try:
            checked = await self._guard.checked(host or "", port or 0)
        except SourceRefusedError as exc:
            self.refusal = exc
            raise
        return await super().create_connection(
            protocol_factory, checked.address, checked.port, **options
        )


class DriverThread:
    """Runs coroutines in the guarded loop and hands their results to the caller's loop."""

    def __init__(self, loop: GuardedLoop) -> None:
        self._loop = loop

    @property
    def refusal(self) -> SourceRefusedError | None:
        """Why the guard refused, if it did."""
        return self._loop.refusal

    async def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Await `work` over there; a cancellation here cancels it there."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))


@asynccontextmanager
async def driver_thread(guard: Guard) -> AsyncIterator[DriverThread]:
    """Start the thread and its loop; at the end what still runs there is cancelled."""
    started: Future[GuardedLoop] = Future()
    over: Future[None] = Future()

    def live() -> None:
        loop = GuardedLoop(guard)
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(_until(over, started, loop))

    thread = threading.Thread(target=live, name="oracle-driver", daemon=True)
    thread.start()
    try:
        yield DriverThread(await asyncio.wrap_future(started))
    finally:
        over.set_result(None)
        await asyncio.shield(asyncio.to_thread(thread.join))


async def _until(over: "Future[None]", started: "Future[GuardedLoop]", loop: GuardedLoop) -> None:
    started.set_result(loop)
    await asyncio.wrap_future(over)
