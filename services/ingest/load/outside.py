"""What a load needs of the world: a table, connections, a fence, a place for rejects.

`work.attempt.Attempt` is it for a worker; the tests of this room write their own.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from services.ingest.domain.former import FormerColumn
from services.ingest.domain.outcome import Outcome, Progress, Reject
from services.ingest.domain.run import ImportId
from shared.contracts.records import NewColumn, TableContract
from shared.store.engine import RawConnection


class Connections(Protocol):
    """Connections to the database of the users' tables."""

    def acquire(self) -> AbstractAsyncContextManager[RawConnection]:
        """One of them; whatever fails while it is held may end it."""
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


class FormerStore(Protocol):
    """Where a load puts rows that it overwrites or removes, inside its transaction."""

    def begin(self, columns: tuple[FormerColumn, ...]) -> None:
        """Rows of these columns come, or come anew: what was written before is thrown away."""
        ...

    async def write(self, data: bytes) -> None:
        """Append to the rows as binary COPY; raises StorageFullError, StorageAwayError."""
        ...

    def drop(self) -> None:
        """There were no such rows."""
        ...


class RowStore(Protocol):
    """Where one (run, lease, pass) of a dry run keeps what it judged to be good."""

    async def write(self, data: bytes) -> None:
        """Append, streamed to storage."""
        ...

    async def restart(self) -> None:
        """Throw away what was written so far: a new pass begins."""
        ...


class Outside(Protocol):
    """The outside of one attempt at one import."""

    @property
    def import_id(self) -> ImportId:
        """The import."""
        ...

    @property
    def submitter(self) -> str:
        """Who asked for the import, as people read it: what `{"call": "user"}` gives its rows."""
        ...

    @property
    def connections(self) -> Connections:
        """Where a load gets its connections."""
        ...

    @property
    def rejects(self) -> RejectStore:
        """Where refused rows go."""
        ...

    @property
    def former(self) -> FormerStore | None:
        """Where former rows go; None where none are kept."""
        ...

    @property
    def rows_of(self) -> ImportId:
        """The import whose rows they are: of a correction, the first one; stored with each row."""
        ...

    @property
    def content_sha256(self) -> str | None:
        """The digest of the file; None where the rows are those of a database."""
        ...

    @property
    def rehearsal(self) -> RowStore:
        """Where a dry run keeps the rows that it judged."""
        ...

    async def contract(self) -> TableContract:
        """The target's contract now; raises a ProblemError when the caller may not write there."""
        ...

    async def make_table(self, columns: Sequence[NewColumn]) -> TableContract:
        """Make the target in another service's transaction; raises FencedOutError."""
        ...

    async def add_columns(self, columns: Sequence[NewColumn]) -> TableContract:
        """Add columns to the target in another service's transaction, but those it has."""
        ...

    async def note_backend(self, pid: int, started_at: datetime) -> None:
        """Store which backend loads, before the first row; raises FencedOutError."""
        ...

    def note_progress(self, progress: Progress) -> None:
        """Keep how far the load is; called after every block, so it must not block."""
        ...

    async def fence(self, connection: RawConnection, outcome: Outcome) -> None:
        """Store the outcome, as the last statement of the transaction; a dry run never does.

        Raises FencedOutError when the lease is lost, which rolls everything back.
        """
        ...
