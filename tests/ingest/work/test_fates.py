"""What an error makes of a run."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from services.ingest.connections.errors import LOST, SourceUnusableError
from services.ingest.domain.options import ImportKind, ImportOptions
from services.ingest.domain.outcome import RowCounts
from services.ingest.domain.run import ImportId, Run, State
from services.ingest.errors import (
    AttemptsExhaustedError,
    EmptyFileError,
    FencedOutError,
    ObjectMissingError,
    RowRefusedError,
    StorageAwayError,
)
from services.ingest.work.fates import Fail, GiveBack, NotOurs, Retries, fate_of
from shared.contracts.auth import Caller, Sub
from shared.errors import ProblemError, StorageFullError
from shared.http.peers import PeerUnavailableError

NOW = datetime(2026, 2, 3, 4, 5, tzinfo=UTC)
RETRIES = Retries(max_attempts=3, base_s=2)
RUN = Run(
    id=ImportId(1),
    kind=ImportKind.FILE,
    state=State.RUNNING,
    table="people",
    options=ImportOptions(),
    etl_name=None,
    email=None,
    file_name="people.csv",
    caller=Caller(sub=Sub("ann")),
    request_id=None,
    idempotency_key="",
    upload_path="uploads/1",
    attempt=1,
    alone=False,
    lease=1,
    made_table_oid=None,
    last_error=None,
    revision=1,
    rows=RowCounts(),
    bytes_read=0,
    bytes_total=10,
    format=None,
    inferred=(),
    reasons=(),
    error=None,
    reject_pass=1,
    rejects_path=None,
    mail=None,
    feed=None,
    feed_outcome=None,
    created_at=NOW - timedelta(hours=1),
    started_at=NOW,
    finished_at=None,
)
AWAY = asyncpg.ConnectionDoesNotExistError("gone")
WAS_AWAY = "the database or the storage went away (ConnectionDoesNotExistError)"
REFUSED = asyncpg.NotNullViolationError("null in column name", "SELECT")


@pytest.mark.parametrize(
    "error", [EmptyFileError("x"), RowRefusedError("x"), ObjectMissingError("x")]
)
def test_a_refusal_ends_the_import(error: ProblemError) -> None:
    assert fate_of(error, RUN, RETRIES, now=NOW) == Fail(error)


def test_a_source_that_refuses_ends_the_import() -> None:
    error = SourceUnusableError("the password has expired")
    assert fate_of(error, RUN, RETRIES, now=NOW) == Fail(error)


def test_a_lost_lease_is_not_ours() -> None:
    assert fate_of(FencedOutError(), RUN, RETRIES, now=NOW) == NotOurs()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (LOST.error(), LOST.words),
        (StorageFullError("no room"), "no room"),
        (AWAY, WAS_AWAY),
        (OSError(5, "input/output error"), "the database or the storage went away (OSError)"),
        (REFUSED, "PostgreSQL refused: null in column name"),
        (KeyError("secret"), "an unexpected KeyError; the worker's log has more"),
    ],
)
def test_what_may_pass_costs_an_attempt(error: Exception, reason: str) -> None:
    fates = [
        fate_of(error, replace(RUN, attempt=attempt), RETRIES, now=NOW) for attempt in (1, 2, 3)
    ]
    assert [(fate.delay_s, fate.counted) for fate in fates[:2] if isinstance(fate, GiveBack)] == [
        (2, True), (4, True),
    ]  # fmt: skip
    last = fates[2]
    assert isinstance(last, Fail)
    assert isinstance(last.error, AttemptsExhaustedError)
    for fate in fates[:2]:
        assert isinstance(fate, GiveBack)
        assert reason in fate.reason
    assert reason in last.error.detail
    assert "secret" not in last.error.detail


@pytest.mark.parametrize("error", [PeerUnavailableError("records is away"), StorageAwayError("x")])
def test_a_peer_that_is_away_costs_none_for_a_day(error: PeerUnavailableError) -> None:
    often = replace(RUN, attempt=3)
    assert fate_of(error, often, RETRIES, now=NOW) == GiveBack(4, error.detail, counted=False)
    old = replace(often, created_at=NOW - timedelta(days=1, seconds=1))
    assert isinstance(fate_of(error, old, RETRIES, now=NOW), Fail)


def test_a_stopped_worker_costs_none() -> None:
    fate = fate_of(asyncio.CancelledError(), replace(RUN, attempt=3), RETRIES, now=NOW)
    assert fate == GiveBack(0, "the worker was stopped", counted=False)


def test_waits_do_not_grow_for_ever() -> None:
    fate = fate_of(AWAY, replace(RUN, attempt=30), Retries(max_attempts=99, base_s=2), now=NOW)
    assert isinstance(fate, GiveBack)
    assert fate.delay_s == 60
