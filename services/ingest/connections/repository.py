"""Every statement on `ingest.sources`. Who may see one is decided here: its owner and admins."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, delete, insert, select, text, true, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.connections.domain import (
    SavedConnection,
    Sealed,
    SourceId,
    SourceKind,
    SourceTarget,
)
from services.ingest.connections.errors import SourceInUseError, SourceNameTakenError
from services.ingest.connections.postgresql.session import IDENTITY
from services.ingest.connections.tables import sources
from shared.contracts.auth import Caller

NEXT_ID = text("SELECT nextval(pg_get_serial_sequence('ingest.sources', 'id'))")


async def next_id(connection: AsyncConnection) -> SourceId:
    """The id of a source that is about to be saved."""
    return SourceId((await connection.execute(NEXT_ID)).scalar_one())


async def save(
    connection: AsyncConnection,
    source_id: SourceId,
    *,
    name: str,
    owner: Caller,
    target: SourceTarget,
    sealed_password: bytes,
) -> SavedConnection:
    """Keep a source; raises SourceNameTakenError when its owner has one of this name."""
    values: dict[str, object] = {
        "id": source_id,
        "owner_sub": owner.sub,
        "owner_label": owner.label,
        "name": name,
        "kind": target.kind.value,
        "host": target.host,
        "port": target.port,
        "database": target.database,
        "service_name": target.service_name,
        "sid": target.sid,
        "username": target.user,
        "tls": target.tls,
        "region": target.region,
        "sealed_password": sealed_password,
    }
    try:
        row = (
            (await connection.execute(insert(sources).values(values).returning(*sources.c)))
            .mappings()
            .one()
        )
    except IntegrityError as exc:
        raise SourceNameTakenError(f"you have a source named {name} already") from exc
    return _saved(row)


async def one(
    connection: AsyncConnection, source_id: int, *, viewer: Caller
) -> SavedConnection | None:
    """The source, if this caller may see it."""
    statement = select(*sources.c).where(sources.c.id == source_id, _seen_by(viewer))
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else _saved(row)


async def kept(connection: AsyncConnection, source_id: SourceId) -> SavedConnection | None:
    """The source, for an import that reads it; None when it was removed."""
    row = (
        (await connection.execute(select(*sources.c).where(sources.c.id == source_id)))
        .mappings()
        .one_or_none()
    )
    return None if row is None else _saved(row)


async def page(
    connection: AsyncConnection, *, viewer: Caller, after: int, limit: int
) -> list[SavedConnection]:
    """Sources that this caller may see, oldest first, from behind the id `after`."""
    statement = (
        select(*sources.c)
        .where(sources.c.id > after, _seen_by(viewer))
        .order_by(sources.c.id)
        .limit(limit)
    )
    return [_saved(row) for row in (await connection.execute(statement)).mappings()]


async def remove(connection: AsyncConnection, source_id: int, *, viewer: Caller) -> str | None:
    """Forget a source; its name, or None when this caller may not see it.

    Raises SourceInUseError.
    """
    statement = (
        delete(sources).where(sources.c.id == source_id, _seen_by(viewer)).returning(sources.c.name)
    )
    try:
        name: str | None = (await connection.execute(statement)).scalar_one_or_none()
    except IntegrityError as exc:
        raise SourceInUseError("a feed reads this source: remove the feed first") from exc
    return name


async def sealed(connection: AsyncConnection) -> list[Sealed]:
    """Every saved source's password, its row locked until the end of the transaction."""
    statement = (
        select(sources.c.id, sources.c.sealed_password).order_by(sources.c.id).with_for_update()
    )
    return [Sealed(row.id, row.sealed_password) for row in await connection.execute(statement)]


async def reseal(connection: AsyncConnection, sealed: Sealed) -> None:
    """Replace a saved source's sealed password."""
    await connection.execute(
        update(sources).where(sources.c.id == sealed.id).values(sealed_password=sealed.password)
    )


async def own_identity(connection: AsyncConnection) -> str:
    """What identifies our own database, however it is reached."""
    return str((await connection.execute(text(IDENTITY))).scalar_one())


def _seen_by(viewer: Caller) -> ColumnElement[bool]:
    return true() if viewer.is_admin else sources.c.owner_sub == viewer.sub


def _saved(row: RowMapping) -> SavedConnection:
    return SavedConnection(
        id=SourceId(row["id"]),
        name=row["name"],
        owner_label=row["owner_label"],
        target=_target(row),
        sealed_password=row["sealed_password"],
        created_at=row["created_at"],
    )


def _target(row: Mapping[str, Any] | RowMapping) -> SourceTarget:
    return SourceTarget(
        kind=SourceKind(row["kind"]),
        host=row["host"],
        port=row["port"],
        user=row["username"],
        database=row["database"],
        service_name=row["service_name"],
        sid=row["sid"],
        tls=row["tls"],
        region=row["region"],
    )
