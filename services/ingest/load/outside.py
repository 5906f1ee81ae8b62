"""What the pipeline needs from outside: bytes, a connection, a fence, a place for rejects.

The service gives the real ones (`services.ingest.load_ports`), the unit tests hand-written ones.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import asyncpg

from services.ingest.domain import ImportId, ImportOptions, Outcome, Progress, Reject
from shared.contracts.records import NewColumn, TableContract


class ByteSource(Protocol):
    """A stored upload; it can be read again from its start, any number of times."""

    @property
    def size_bytes(self) -> int:
        """Size as stored (compressed, if it came compressed)."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The bytes in order, in pieces of any size."""
        ...


class RejectStore(Protocol):
    """Where one (run, lease, pass) puts its rejects, outside the COPY transaction."""

    async def write(self, data: bytes) -> None:
        """Append to the rejects CSV, streamed to storage."""
        ...

    async def keep(self, rejects: Sequence[Reject]) -> None:
        """Keep rejects for the JSON view; the store takes the first 1,000 of a pass."""
        ...

    async def restart(self) -> None:
        """Throw away what was written so far: a new pass begins."""
        ...


@dataclass(frozen=True, slots=True)
class LoadPorts:
    """The outside of one attempt at one import."""

    import_id: ImportId
    pool: "asyncpg.Pool[asyncpg.Record]"
    rejects: RejectStore
    contract: Callable[[], Awaitable[TableContract]]
    """The target's contract now; raises a ProblemError when the caller may not write there."""
    make_table: Callable[[Sequence[NewColumn]], Awaitable[TableContract]]
    """`create_table`: made in another service's transaction."""
    on_backend: Callable[[int, datetime], Awaitable[None]]
    """Told the loading connection's pid and start time before the first row, for the sweeper."""
    on_progress: Callable[[Progress], None]
    """Cheap and synchronous; called after every block."""
    fence: Callable[["asyncpg.Connection[asyncpg.Record]", Outcome], Awaitable[None]]
    """The transaction's last statement; raises FencedOutError when the lease is lost, which rolls
    everything back. A dry run never calls it: it rolls back and returns its outcome."""


@dataclass(frozen=True, slots=True)
class FileLoad:
    """One file to be loaded into one table."""

    table: str
    file_name: str
    options: ImportOptions
    source: ByteSource
