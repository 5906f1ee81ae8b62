"""What a mode of loading gets, and what it gives back."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

import asyncpg

from services.ingest.domain.options import ImportOptions
from services.ingest.errors import (
    ConstraintBrokenError,
    DefaultReferenceError,
    KeyNotInFileError,
    NoRowFitsError,
    NothingToReplaceWithError,
    StillReferencedError,
)
from services.ingest.load.outside import FormerStore, Outside
from services.ingest.load.readings import Readings, Seen
from services.ingest.load.references import is_still_referenced
from services.ingest.load.target import Target
from services.ingest.plan.columns import ColumnPlan
from shared.contracts.records import TableContract
from shared.store.citus import constraint_of
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

    @property
    def former(self) -> FormerStore | None:
        """Where rows go that are overwritten or removed; None where none are kept."""
        return None if self.options.dry_run else self.outside.former


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a mode did: the reading that counts, and the records it inserted and updated."""

    seen: Seen
    inserted: int
    updated: int = 0
    deleted: int = 0
    """Records that a replace deleted first."""


VIOLATIONS = (
    asyncpg.UniqueViolationError,
    asyncpg.CheckViolationError,
    asyncpg.ForeignKeyViolationError,
    asyncpg.RestrictViolationError,
)
"""What PostgreSQL raises for rows that a key or a rule forbids."""

LoadMode: TypeAlias = Callable[[Load], Awaitable[Loaded]]


def refuse_nothing(readings: Readings, loaded: Loaded) -> None:
    """Raise NoRowFitsError where every row was refused, so that success means that some are in.

    Raises NothingToReplaceWithError where a replace would leave nothing of what it deleted.
    """
    if loaded.seen.rows and readings.report.rows >= loaded.seen.rows:
        reason = readings.report.reasons[0]
        where = "" if reason.column is None else f" in {reason.column}"
        raise NoRowFitsError(
            f"all {loaded.seen.rows:,} rows were refused, most often for {reason.code.value}{where}"
            f" (first on line {reason.first_line}); nothing was changed"
        )
    if loaded.deleted and not loaded.inserted and not readings.options.allow_empty:
        raise NothingToReplaceWithError(
            f"there are no rows to replace the table's {loaded.deleted:,} with; send"
            " `allow_empty=true` to empty it"
        )


def unexplained(
    error: asyncpg.IntegrityConstraintViolationError, contract: TableContract
) -> Exception:
    """A violation that no row of the source explains."""
    reason = error.detail or error
    if isinstance(error, asyncpg.CheckViolationError):
        return ConstraintBrokenError(
            f"the constraint {constraint_of(error)}, which is no rule of the table's columns,"
            f" refuses a row: {reason}"
        )
    if is_still_referenced(error, contract):
        return StillReferencedError(f"other records reference what a row would change: {reason}")
    if isinstance(error, asyncpg.ForeignKeyViolationError):
        return DefaultReferenceError(f"no row of the source explains it: {reason}")
    return KeyNotInFileError(f"every row would get the same value in a unique column: {reason}")
