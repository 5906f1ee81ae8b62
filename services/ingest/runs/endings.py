"""What follows from a final state: the mail, the catalog's edge, a made table dropped again.

Pure: from a run and how it ended to the intents that are written in the same statement.
"""

from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from services.ingest.domain.former import FormerRows
from services.ingest.domain.options import ImportKind
from services.ingest.domain.outcome import (
    FormatFound,
    InferredColumn,
    Intent,
    Outcome,
    Progress,
    Reason,
    RowCounts,
)
from services.ingest.domain.run import (
    Ending,
    Run,
    State,
)
from shared.contracts.catalog import EdgeSeen, EdgeUndone, TableRead
from shared.contracts.problem import ProblemDocument
from shared.contracts.records import DATA_SCHEMA

MAILED_REASONS = 20


class IntentKind(StrEnum):
    """Kinds of the service's intents."""

    MAIL = "mail"
    EDGE = "edge"
    DROP_TABLE = "drop_table"
    EDGE_UNDONE = "edge_undone"


class MailNotice(BaseModel):
    """All that the mail about a finished import says."""

    model_config = ConfigDict(frozen=True)

    to: str
    own: bool = False
    """Whether it is the submitter's own address."""
    by: str | None = None
    """Who asked for it, as people read it."""
    import_id: int
    lease: int
    state: State
    table: str | None
    file_name: str | None
    dry_run: bool
    rows_read: int
    rows_loaded: int
    rows_rejected: int
    rows_inserted: int
    rows_updated: int
    has_rejects: bool
    reason: str | None
    reasons: tuple[Reason, ...] = ()
    """Why rows were refused, most frequent first."""


class MadeTable(BaseModel):
    """A table that an import made and that must not stay behind empty."""

    model_config = ConfigDict(frozen=True)

    import_id: int
    table: str
    oid: int


def succeeded(
    run: Run,
    outcome: Outcome,
    *,
    rejects_path: str | None,
    former: FormerRows | None = None,
    rehearsal_path: str | None = None,
    read: TableRead | None = None,
) -> Ending:
    """The load did all it should; `former` are the rows that it overwrote or removed.

    `read` is the table of another database that it read.
    """
    ending = _ending(
        run,
        State.SUCCEEDED,
        rows=outcome.rows,
        bytes_read=outcome.bytes_read,
        format_=outcome.format,
        inferred=outcome.inferred,
        reasons=outcome.reasons,
        rejects_path=rejects_path,
        columns=outcome.columns,
        rehearsal_path=rehearsal_path,
        reading=outcome.reading,
        read=read,
    )
    return replace(
        ending,
        intents=(*ending.intents, *outcome.intents),
        table_oid=outcome.table_oid,
        former=former,
        profile=outcome.profile,
    )


def failed(run: Run, error: ProblemDocument, *, seen: Progress, rejects_path: str | None) -> Ending:
    """The load cannot succeed; nothing was loaded. `seen` is how far it came."""
    return _ending(
        run,
        State.FAILED,
        rows=RowCounts(read=seen.rows_read, rejected=seen.rows_rejected),
        bytes_read=seen.bytes_read,
        reasons=seen.reasons,
        error=error,
        rejects_path=rejects_path,
    )


def _ending(
    run: Run,
    state: State,
    *,
    rows: RowCounts,
    bytes_read: int,
    format_: FormatFound | None = None,
    inferred: tuple[InferredColumn, ...] = (),
    reasons: tuple[Reason, ...] = (),
    error: ProblemDocument | None = None,
    rejects_path: str | None,
    columns: tuple[tuple[str, str], ...] = (),
    rehearsal_path: str | None = None,
    reading: bytes | None = None,
    read: TableRead | None = None,
) -> Ending:
    intents: list[Intent] = []
    if run.email:
        notice = _notice(run, run.email, state, rows, reasons, error, rejects_path)
        intents.append(Intent(kind=IntentKind.MAIL, fields=notice.model_dump(mode="json")))
    if state is State.SUCCEEDED and not run.options.dry_run:
        if rows.loaded:  # what loaded nothing feeds nothing
            if read is not None:
                read = read.model_copy(
                    update={"columns": {target: source for source, target in columns}}
                )
            intents += _edge(run, is_report=format_ is not None and format_.report, read=read)
    else:
        intents += drop_made_table(run)
    return Ending(
        state=state,
        rows=rows,
        bytes_read=bytes_read,
        format=format_,
        inferred=inferred,
        reasons=reasons,
        error=error,
        rejects_path=rejects_path,
        rehearsal_path=rehearsal_path,
        reading=reading,
        intents=tuple(intents),
        columns=columns,
    )


def drop_made_table(run: Run) -> list[Intent]:
    """Drop what `create_table` made, if this run made something."""
    if run.made_table_oid is None or run.table is None:
        return []
    made = MadeTable(import_id=run.id, table=run.table, oid=run.made_table_oid)
    return [Intent(kind=IntentKind.DROP_TABLE, fields=made.model_dump(mode="json"))]


def _edge(run: Run, *, is_report: bool, read: TableRead | None) -> list[Intent]:
    # A catalog file brings its own edges, and has no table.
    if run.table is None or run.feeding_etl is None:
        return []
    # A report of refused rows is no source of its own: the first file was named already.
    if is_report and run.etl_name is None:
        return []
    if run.kind not in (ImportKind.FILE, ImportKind.DATABASE):
        return []
    edge = EdgeSeen(
        etl_name=run.feeding_etl,
        schema_name=DATA_SCHEMA,
        table_name=run.table,
        import_id=run.id,
        seen_at=datetime.now(UTC),
        read=read,
    )
    return [Intent(kind=IntentKind.EDGE, fields=edge.model_dump(mode="json"))]


def edge_undone(run: Run, *, table: str) -> tuple[Intent, ...]:
    """Say that nothing of what an import fed is left; it was the only one of its ETL.

    `table` is the table's name now.
    """
    if run.feeding_etl is None:
        return ()
    undone = EdgeUndone(
        etl_name=run.feeding_etl,
        schema_name=DATA_SCHEMA,
        table_name=table,
        import_id=run.id,
        undone_at=datetime.now(UTC),
    )
    return (Intent(kind=IntentKind.EDGE_UNDONE, fields=undone.model_dump(mode="json")),)


def _notice(
    run: Run,
    to: str,
    state: State,
    rows: RowCounts,
    reasons: tuple[Reason, ...],
    error: ProblemDocument | None,
    rejects_path: str | None,
) -> MailNotice:
    return MailNotice(
        to=to,
        own=(run.caller.email or "").casefold() == to.casefold(),
        by=run.caller.label,
        import_id=run.id,
        lease=run.lease,
        state=state,
        table=run.table,
        file_name=run.file_name,
        dry_run=run.options.dry_run,
        rows_read=rows.read,
        rows_loaded=rows.loaded,
        rows_rejected=rows.rejected,
        rows_inserted=rows.inserted,
        rows_updated=rows.updated,
        has_rejects=rejects_path is not None,
        reason=None if error is None else error.detail,
        reasons=reasons[:MAILED_REASONS],
    )
