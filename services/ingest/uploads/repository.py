"""Every statement on `ingest.uploads`. An upload is seen by its owner alone."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.uploads.domain import Upload, UploadId
from services.ingest.uploads.tables import uploads
from shared.contracts.auth import Caller

KEPT = text("interval '24 hours'")
"""How long an upload is kept after it was last used."""
COLUMNS = (
    uploads.c.id,
    uploads.c.file_name,
    uploads.c.size_bytes,
    uploads.c.received_bytes,
    uploads.c.pieces,
    uploads.c.path,
    uploads.c.sha256,
    uploads.c.created_at,
    uploads.c.expires_at,
)


async def create(
    connection: AsyncConnection,
    upload_id: UploadId,
    owner: Caller,
    *,
    file_name: str,
    size_bytes: int,
    path: str | None = None,
    sha256: str | None = None,
) -> Upload:
    """A new upload: empty, or (with `path` and `sha256`) complete."""
    statement = (
        insert(uploads)
        .values(
            id=upload_id,
            owner_sub=owner.sub,
            file_name=file_name,
            size_bytes=size_bytes,
            received_bytes=0 if path is None else size_bytes,
            path=path,
            sha256=sha256,
            expires_at=func.now() + KEPT,
        )
        .returning(*COLUMNS)
    )
    return _upload((await connection.execute(statement)).one())


async def count(connection: AsyncConnection, owner: Caller) -> int:
    """How many uploads the caller has."""
    statement = select(func.count()).where(uploads.c.owner_sub == owner.sub)
    return int((await connection.execute(statement)).scalar_one())


async def used(connection: AsyncConnection, upload_id: UploadId, owner: Caller) -> Upload | None:
    """The upload, kept for another 24 hours; None where the caller has no such upload."""
    statement = (
        update(uploads)
        .where(uploads.c.id == upload_id, uploads.c.owner_sub == owner.sub)
        .values(expires_at=func.now() + KEPT)
        .returning(*COLUMNS)
    )
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else _upload(row)


async def page(
    connection: AsyncConnection, owner: Caller, *, before: datetime | None, limit: int
) -> list[Upload]:
    """The caller's uploads, newest first, one further than the limit."""
    statement = select(*COLUMNS).where(uploads.c.owner_sub == owner.sub)
    if before is not None:
        statement = statement.where(uploads.c.created_at < before)
    ordered = statement.order_by(uploads.c.created_at.desc(), uploads.c.id).limit(limit + 1)
    return [_upload(row) for row in await connection.execute(ordered)]


async def advance(
    connection: AsyncConnection,
    upload_id: UploadId,
    *,
    from_bytes: int,
    to_bytes: int,
    pieces: Sequence[str],
) -> bool:
    """Add pieces that are in storage; False where the upload is elsewhere by now."""
    statement = (
        update(uploads)
        .where(
            uploads.c.id == upload_id,
            uploads.c.received_bytes == from_bytes,
            uploads.c.path.is_(None),
        )
        .values(received_bytes=to_bytes, pieces=uploads.c.pieces.op("||")(list(pieces)))
        .returning(uploads.c.id)
    )
    return (await connection.execute(statement)).first() is not None


async def complete(
    connection: AsyncConnection, upload_id: UploadId, *, path: str, sha256: str
) -> Upload | None:
    """Put the whole file in place of its pieces; None where it is complete or gone already."""
    statement = (
        update(uploads)
        .where(uploads.c.id == upload_id, uploads.c.path.is_(None))
        .values(path=path, sha256=sha256, pieces=[])
        .returning(*COLUMNS)
    )
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else _upload(row)


async def remove(
    connection: AsyncConnection, upload_id: UploadId, owner: Caller
) -> list[str] | None:
    """Forget an upload; what it leaves in storage, or None where there was none."""
    statement = (
        delete(uploads)
        .where(uploads.c.id == upload_id, uploads.c.owner_sub == owner.sub)
        .returning(uploads.c.path, uploads.c.pieces)
    )
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else _objects(row)


async def remove_expired(connection: AsyncConnection, *, limit: int) -> list[str]:
    """Forget uploads that nobody used for a day; what they leave in storage."""
    due = (
        select(uploads.c.id)
        .where(uploads.c.expires_at < func.now())
        .order_by(uploads.c.expires_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    statement = (
        delete(uploads)
        .where(uploads.c.id.in_(due.scalar_subquery()))
        .returning(uploads.c.path, uploads.c.pieces)
    )
    rows = (await connection.execute(statement)).all()
    return [path for row in rows for path in _objects(row)]


async def known_paths(connection: AsyncConnection, paths: Sequence[str]) -> set[str]:
    """Those of the paths that some upload still needs."""
    whole = select(uploads.c.path).where(uploads.c.path.in_(paths))
    pieces = select(func.unnest(uploads.c.pieces).label("path")).where(
        uploads.c.pieces.overlap(list(paths))
    )
    return {row.path for row in await connection.execute(whole.union(pieces))}


def _objects(row: Any) -> list[str]:
    """Where the bytes of an upload are, whole or in pieces."""
    return [*row.pieces, *([] if row.path is None else [row.path])]


def _upload(row: Any) -> Upload:
    return Upload(
        id=row.id,
        file_name=row.file_name,
        size_bytes=row.size_bytes,
        received_bytes=row.received_bytes,
        pieces=tuple(row.pieces),
        path=row.path,
        sha256=row.sha256,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
