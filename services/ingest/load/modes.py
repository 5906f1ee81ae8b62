"""What a mode of loading gets, and what it gives back."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

import asyncpg

from services.ingest.domain import ImportOptions
from services.ingest.errors import KeyNotInFileError
from services.ingest.load.outside import Outside
from services.ingest.load.readings import Readings, Seen
from services.ingest.load.target import Target
from services.ingest.plan.columns import ColumnPlan
from shared.contracts.records import TableContract
from shared.store.engine import RawConnection


@dataclass(frozen=True, slots=True)
class Load:
    """One load inside its transaction: where the rows go, and out of what they come."""

    target: Target
    readings: Readings

    @property
    def connection(self) -> RawConnection:
        """The transaction's connection."""
        return self.target.connection

    @property
    def contract(self) -> TableContract:
        """The table's contract."""
        return self.target.contract

    @property
    def plan(self) -> ColumnPlan:
        """Which column goes where."""
        return self.readings.plan

    @property
    def options(self) -> ImportOptions:
        """What the caller asked for."""
        return self.readings.options

    @property
    def outside(self) -> Outside:
        """The attempt's outside."""
        return self.readings.outside


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a mode did: the reading that counts, and the records it inserted and updated."""

    seen: Seen
    inserted: int
    updated: int = 0


LoadMode: TypeAlias = Callable[[Load], Awaitable[Loaded]]


def unexplained(error: asyncpg.UniqueViolationError) -> Exception:
    """A unique violation that no row of the source explains."""
    return KeyNotInFileError(
        f"every row would get the same value in a unique column: {error.detail or error}"
    )
