"""A row of `ingest.imports` turned into a Run, and a Run's parts into JSON columns."""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, LiteralString, Protocol

from pydantic import TypeAdapter

from services.ingest.domain.former import FormerColumn, FormerRows, StoredFormer
from services.ingest.domain.options import OPTIONS, Edited, ImportKind, ImportOptions
from services.ingest.domain.outcome import (
    FormatFound,
    InferredColumn,
    Reason,
    RowCounts,
)
from services.ingest.domain.run import (
    FeedOutcome,
    FeedRef,
    ImportId,
    MailState,
    Run,
    State,
    Undone,
)
from shared.contracts.auth import Caller
from shared.contracts.problem import ProblemDocument

FORMAT = TypeAdapter(FormatFound)
INFERRED = TypeAdapter(tuple[InferredColumn, ...])
FORMER_COLUMNS = TypeAdapter(tuple[FormerColumn, ...])
UNDONE = TypeAdapter(Undone)
REASONS = TypeAdapter(tuple[Reason, ...])
FEED_OUTCOME = TypeAdapter(FeedOutcome)

REMEMBERED = 64
"""How many options and callers are kept as they were read: those of many imports are the same."""

COLUMNS: Final = (
    "id", "kind", "state", "table_name", "options", "etl_name", "email", "file_name", "caller",
    "request_id", "idempotency_key", "upload_path",
    "content_sha256", "attempt", "lease", "made_table_oid",
    "last_error", "revision", "rows_read", "rows_loaded", "rows_rejected", "rows_inserted",
    "rows_updated", "bytes_read", "bytes_total", "format", "inferred", "reasons", "error",
    "reject_pass", "rejects_path", "rehearsal_path", "mail", "created_at", "started_at",
    "finished_at", "rows_deleted", "rows_corrected", "rows_skipped", "rows_of", "follows",
    "edited", "undone", "feed_id", "feed_name", "feed_generation", "feed_outcome",
    "alone", "trace_parent",
)  # fmt: skip
"""What a Run is made of."""

SELECTED: Final[LiteralString] = ", ".join(f"i.{name}" for name in COLUMNS)
"""The same as SQL, of `ingest.imports i`."""

UNFLUSHED: Final[LiteralString] = "set_config('synchronous_commit', 'off', true) = 'off'"
"""In the condition of a statement in autocommit: it does not wait for the server's disk."""


class Row(Protocol):
    """A row of either driver."""

    def __getitem__(self, name: str, /) -> Any:
        """A column's value."""
        ...


def run_of(row: Row) -> Run:
    """A Run from a row of either driver: asyncpg gives JSON as text, SQLAlchemy as objects."""
    return Run(
        id=ImportId(row["id"]),
        kind=ImportKind(row["kind"]),
        state=State(row["state"]),
        table=row["table_name"],
        options=_options(row["options"]),
        etl_name=row["etl_name"],
        email=row["email"],
        file_name=row["file_name"],
        caller=_caller(row["caller"]),
        request_id=row["request_id"],
        trace_parent=row["trace_parent"],
        idempotency_key=row["idempotency_key"],
        upload_path=row["upload_path"],
        content_sha256=row["content_sha256"],
        attempt=row["attempt"],
        alone=row["alone"],
        lease=row["lease"],
        made_table_oid=row["made_table_oid"],
        last_error=row["last_error"],
        revision=row["revision"],
        rows=RowCounts(
            read=row["rows_read"],
            loaded=row["rows_loaded"],
            rejected=row["rows_rejected"] - row["rows_corrected"],
            inserted=row["rows_inserted"],
            updated=row["rows_updated"],
            deleted=row["rows_deleted"],
            corrected=row["rows_corrected"],
            skipped=row["rows_skipped"],
        ),
        bytes_read=row["bytes_read"],
        bytes_total=row["bytes_total"],
        format=FORMAT.validate_python(format_) if (format_ := parsed(row["format"])) else None,
        inferred=INFERRED.validate_python(inferred)
        if (inferred := parsed(row["inferred"]))
        else (),
        reasons=REASONS.validate_python(reasons) if (reasons := parsed(row["reasons"])) else (),
        error=ProblemDocument.model_validate(error) if (error := parsed(row["error"])) else None,
        reject_pass=row["reject_pass"],
        rejects_path=row["rejects_path"],
        rehearsal_path=row["rehearsal_path"],
        mail=MailState(row["mail"]) if row["mail"] else None,
        feed=_feed(row),
        feed_outcome=(
            FEED_OUTCOME.validate_python(outcome)
            if (outcome := parsed(row["feed_outcome"]))
            else None
        ),
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        rows_of=None if row["rows_of"] is None else ImportId(row["rows_of"]),
        follows=ImportId(follows) if (follows := row["follows"]) else None,
        edited=Edited(row["edited"]) if row["edited"] else None,
        undone=UNDONE.validate_python(undone) if (undone := parsed(row["undone"])) else None,
    )


def run_of_snapshot(row: Mapping[str, Any]) -> Run:
    """A Run from its whole row as `to_jsonb` writes it."""
    moments = {
        name: datetime.fromisoformat(value) if (value := row[name]) is not None else None
        for name in ("created_at", "started_at", "finished_at")
    }
    return run_of({**row, **moments})


def format_json(format_: FormatFound | None) -> str | None:
    """The column `format`."""
    return None if format_ is None else FORMAT.dump_json(format_).decode()


def inferred_json(columns: tuple[InferredColumn, ...]) -> str:
    """The column `inferred`."""
    return INFERRED.dump_json(columns).decode()


def reasons_json(reasons: tuple[Reason, ...]) -> str:
    """The column `reasons`."""
    return REASONS.dump_json(reasons).decode()


def _feed(row: Row) -> FeedRef | None:
    if row["feed_name"] is None:
        return None
    return FeedRef(row["feed_id"], row["feed_name"], row["feed_generation"])


def former_values(former: FormerRows | None) -> tuple[str | None, int | None, str | None]:
    """The columns `former_path`, `former_bytes` and `former_columns`."""
    if former is None:
        return None, None, None
    columns = FORMER_COLUMNS.dump_json(former.columns).decode()
    return former.stored.path, former.stored.size_bytes, columns


def former_of(row: Row) -> FormerRows | None:
    """Where former rows are, from those columns; None where none are kept."""
    if row["former_path"] is None:
        return None
    return FormerRows(
        StoredFormer(row["former_path"], row["former_bytes"]),
        FORMER_COLUMNS.validate_python(parsed(row["former_columns"])),
    )


def _options(value: Any) -> ImportOptions:
    return _options_of(value) if isinstance(value, str) else OPTIONS.validate_python(value)


def _caller(value: Any) -> Caller:
    return _caller_of(value) if isinstance(value, str) else Caller.model_validate(value)


@lru_cache(maxsize=REMEMBERED)
def _options_of(text: str) -> ImportOptions:
    return OPTIONS.validate_json(text)


@lru_cache(maxsize=REMEMBERED)
def _caller_of(text: str) -> Caller:
    return Caller.model_validate_json(text)


def parsed(value: Any) -> Any:
    """JSON as objects, whichever driver read it."""
    return json.loads(value) if isinstance(value, str) else value
