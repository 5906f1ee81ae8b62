"""Imports as callers list and steer them; one sees one's own, an admin sees all."""

from sqlalchemy import (
    ColumnElement,
    and_,
    func,
    null,
    or_,
    select,
    text,
    true,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.domain.options import ImportKind
from services.ingest.domain.run import (
    QueueFigures,
    Run,
    RunFilter,
    State,
)
from services.ingest.errors import AlreadyQueuedError, BeingCommittedError
from services.ingest.runs.row import COLUMNS, run_of
from services.ingest.tables import imports
from shared.contracts.auth import Caller

RUN = tuple(imports.c[name] for name in COLUMNS)
LOCK_NOT_AVAILABLE = "55P03"
WITHOUT_UPLOAD = (
    ImportKind.DATABASE.value,
    ImportKind.CATALOG_DATABASE.value,
    ImportKind.UNDO.value,
)
"""Kinds whose rows come from elsewhere, so that there is no file to be kept."""

TERMINATE = text(
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE usename = current_user AND application_name = :name"
)


async def page(
    connection: AsyncConnection, which: RunFilter, *, viewer: Caller | None, limit: int
) -> list[Run]:
    """Imports that this caller may see, newest first; None sees all."""
    conditions = [true() if viewer is None else _seen_by(viewer)]
    if which.state is not None:
        conditions.append(imports.c.state == which.state.value)
    if which.table is not None:
        conditions.append(imports.c.table_name == which.table)
    if which.before is not None:
        conditions.append(imports.c.id < which.before)
    statement = select(*RUN).where(*conditions).order_by(imports.c.id.desc()).limit(limit)
    return [run_of(row) for row in (await connection.execute(statement)).mappings()]


async def feeding(
    connection: AsyncConnection, *, table: str | None, etl: str | None, limit: int
) -> list[Run]:
    """The newest imports into a table or by an ETL, whoever submitted them; for our peers."""
    conditions: list[ColumnElement[bool]] = []
    if table is not None:
        conditions.append(imports.c.table_name == table)
    if etl is not None:
        unnamed = and_(imports.c.etl_name.is_(None), imports.c.file_name == etl)
        conditions.append(or_(imports.c.etl_name == etl, unnamed))
    if not conditions:
        return []
    statement = select(*RUN).where(*conditions).order_by(imports.c.id.desc()).limit(limit)
    return [run_of(row) for row in (await connection.execute(statement)).mappings()]


async def cancel(connection: AsyncConnection, run: Run, *, application_name: str) -> Run | None:
    """End a queued or running import and its load's connection; None when it is final already.

    Raises BeingCommittedError when the load holds the row: its fence is passed.
    """
    await connection.execute(text("SET LOCAL lock_timeout = '1s'"))
    statement = (
        update(imports)
        .where(imports.c.id == run.id, imports.c.state.in_((State.QUEUED, State.RUNNING)))
        .values(
            state=State.CANCELLED.value,
            lease=imports.c.lease + 1,
            revision=imports.c.revision + 1,
            finished_at=func.clock_timestamp(),
            backend_pid=None,
            backend_start=None,
            rows_loaded=0,
        )
        .returning(*RUN)
    )
    try:
        row = (await connection.execute(statement)).mappings().one_or_none()
    except DBAPIError as exc:
        if getattr(exc.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE:
            raise BeingCommittedError(
                "the import is being committed at this moment; look at it again"
            ) from exc
        raise
    if row is None:
        return None
    await connection.execute(TERMINATE, {"name": application_name})
    return run_of(row)


async def queue_again(connection: AsyncConnection, run: Run) -> Run | None:
    """Queue a failed or cancelled import afresh; None when it is in another state.

    Raises AlreadyQueuedError when the same import was submitted anew meanwhile.
    """
    statement = (
        update(imports)
        .where(
            imports.c.id == run.id,
            imports.c.state.in_((State.FAILED, State.CANCELLED)),
            or_(
                imports.c.kind.in_(WITHOUT_UPLOAD),
                imports.c.upload_path.is_not(None),
                # A feed fetches its file anew; one that was sent has a digest.
                and_(imports.c.feed_id.is_not(None), imports.c.content_sha256.is_(None)),
                and_(imports.c.kind == ImportKind.FILE.value, imports.c.follows.is_not(None)),
            ),
        )
        .values(
            state=State.QUEUED.value,
            attempt=0,
            lease=imports.c.lease + 1,
            revision=imports.c.revision + 1,
            not_before=func.clock_timestamp(),
            started_at=None,
            finished_at=None,
            error=null(),
            last_error=None,
        )
        .returning(*RUN)
    )
    try:
        row = (await connection.execute(statement)).mappings().one_or_none()
    except IntegrityError as exc:
        raise AlreadyQueuedError("the same import was submitted again and is open") from exc
    return None if row is None else run_of(row)


async def figures(connection: AsyncConnection) -> QueueFigures:
    """Counts for the metrics."""
    states = (
        await connection.execute(
            text("SELECT state, count(*) AS runs FROM ingest.imports GROUP BY state")
        )
    ).mappings()
    by_state = {State(row["state"]): int(row["runs"]) for row in states}
    now = (
        (
            await connection.execute(
                text(
                    "SELECT (SELECT coalesce(extract(epoch FROM clock_timestamp()"
                    " - min(greatest(created_at, not_before))), 0) FROM ingest.imports"
                    " WHERE state = 'queued') AS oldest_queued_s,"
                    " (SELECT coalesce(sum(rows_read / greatest(extract(epoch FROM"
                    " clock_timestamp() - started_at), 0.1)), 0) FROM ingest.imports"
                    " WHERE state = 'running') AS rows_per_s,"
                    " (SELECT count(*) FROM ingest.outbox) AS intents,"
                    " (SELECT coalesce(sum(former_bytes), 0) FROM ingest.imports"
                    " WHERE former_path IS NOT NULL) AS former_bytes"
                )
            )
        )
        .mappings()
        .one()
    )
    return QueueFigures(
        by_state=by_state,
        oldest_queued_s=max(0.0, float(now["oldest_queued_s"])),
        rows_per_s=float(now["rows_per_s"]),
        intents=int(now["intents"]),
        former_bytes=int(now["former_bytes"]),
    )


def _seen_by(viewer: Caller) -> ColumnElement[bool]:
    if viewer.is_admin:
        return true()
    return imports.c.submitted_by_sub == viewer.sub
