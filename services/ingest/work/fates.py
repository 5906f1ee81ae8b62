"""What an error makes of the run whose attempt it ended; pure, so that a table can test it.

A source or storage that may come back is tried again later, at the cost of an attempt; a peer
that is away costs none, for a day; a refusal ends the import.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

import asyncpg

from services.ingest.connections.errors import SourceAwayError
from services.ingest.domain.run import Run
from services.ingest.errors import AttemptsExhaustedError, FencedOutError
from services.ingest.feeds.errors import FileAwayError
from services.ingest.work.apart import ProcessDiedError
from shared.away import is_away
from shared.errors import ProblemError, StorageFullError, UnavailableError

LONGEST_DELAY_S = 60.0
LONGEST_WAIT = timedelta(days=1)
"""While a peer is unavailable, attempts are not counted, for so long at most."""


@dataclass(frozen=True, slots=True)
class Fail:
    """The import ends as `failed`."""

    error: ProblemError


@dataclass(frozen=True, slots=True)
class GiveBack:
    """The import is queued again, here or elsewhere."""

    delay_s: float
    reason: str
    """Why, without data of the file; what people see if it was the last attempt."""
    counted: bool
    """Whether this attempt is one of `max_attempts`."""


@dataclass(frozen=True, slots=True)
class NotOurs:
    """Another worker has the import, or it was cancelled: nothing is left to do."""


Fate: TypeAlias = Fail | GiveBack | NotOurs


@dataclass(frozen=True, slots=True)
class Retries:
    """How often an import is tried, and how long the first wait is."""

    max_attempts: int
    base_s: float


def fate_of(error: BaseException, run: Run, retries: Retries, *, now: datetime) -> Fate:
    """What becomes of the run after its attempt ended with this error."""
    match error:
        case FencedOutError():
            return NotOurs()
        case asyncio.CancelledError():
            return GiveBack(0, "the worker was stopped", counted=False)
        case UnavailableError() if now - run.created_at <= LONGEST_WAIT:
            return GiveBack(retries.base_s * 2, error.detail, counted=False)
        case UnavailableError() | StorageFullError() | SourceAwayError() | FileAwayError():
            return _later(run, retries, error.detail)
        case ProblemError():
            return Fail(error)
        case _:
            return _later(run, retries, reason_without_data(error))


def exhausted(attempts: int, reason: str | None) -> Fail:
    """The end of an import that was tried as often as allowed."""
    why = reason or "no reason is known"
    return Fail(AttemptsExhaustedError(f"given up after {attempts} attempts; the last one: {why}"))


def reason_without_data(error: BaseException) -> str:
    """Why an attempt broke, in words that hold no data of the file."""
    if is_away(error) or isinstance(error, OSError):
        return f"the database or the storage went away ({type(error).__name__})"
    if isinstance(error, ProcessDiedError):
        return str(error)
    if isinstance(error, asyncpg.PostgresError):
        return f"PostgreSQL refused: {error.args[0] if error.args else type(error).__name__}"
    return f"an unexpected {type(error).__name__}; the worker's log has more"


def _later(run: Run, retries: Retries, reason: str) -> Fate:
    if run.attempt >= retries.max_attempts:
        return exhausted(run.attempt, reason)
    delay_s = min(retries.base_s * 2 ** (run.attempt - 1), LONGEST_DELAY_S)
    return GiveBack(delay_s, reason, counted=True)
