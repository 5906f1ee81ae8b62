"""Every SQL statement about sources. Who may see one is decided here: its owner and admins."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, RowMapping, delete, insert, select, text, true, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.connections.domain import (
    SourceId,
    SourceKind,
    SourceTarget,
    Wanted,
)
from services.ingest.connections.errors import SourceNameTakenError
from services.ingest.connections.postgresql.session import IDENTITY
from services.ingest.connections.tables import reads, sources
from services.ingest.domain import ImportId, State
from services.ingest.tables import imports
from shared.contracts.auth import Caller

TARGET = TypeAdapter(SourceTarget)
WANTED: TypeAdapter[Wanted] = TypeAdapter(Wanted)
NEXT_ID = text("SELECT nextval(pg_get_serial_sequence('ingest.sources', 'id'))")


@dataclass(frozen=True, slots=True)
class SavedSource:
    """A saved source as its row says it, password sealed."""

    id: SourceId
    name: str
    owner_label: str
    target: SourceTarget
    sealed_password: bytes
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Read:
    """What an import reads; `wanted` None is a scan of the whole database."""

    source_id: SourceId | None
    target: SourceTarget
    sealed_password: bytes | None
    wanted: Wanted | None


@dataclass(frozen=True, slots=True)
class Sealed:
    """One sealed password, wherever it stands."""

    id: int
    password: bytes


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
) -> SavedSource:
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


async def one(connection: AsyncConnection, source_id: int, *, viewer: Caller) -> SavedSource | None:
    """The source, if this caller may see it."""
    statement = select(*sources.c).where(sources.c.id == source_id, _seen_by(viewer))
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else _saved(row)


async def page(
    connection: AsyncConnection, *, viewer: Caller, after: int, limit: int
) -> list[SavedSource]:
    """Sources that this caller may see, oldest first, from behind the id `after`."""
    statement = (
        select(*sources.c)
        .where(sources.c.id > after, _seen_by(viewer))
        .order_by(sources.c.id)
        .limit(limit)
    )
    return [_saved(row) for row in (await connection.execute(statement)).mappings()]


async def remove(connection: AsyncConnection, source_id: int, *, viewer: Caller) -> str | None:
    """Forget a source; its name, or None when this caller may not see it."""
    statement = (
        delete(sources).where(sources.c.id == source_id, _seen_by(viewer)).returning(sources.c.name)
    )
    name: str | None = (await connection.execute(statement)).scalar_one_or_none()
    return name


async def keep_read(connection: AsyncConnection, import_id: ImportId, read: Read) -> None:
    """Keep what an import reads, in the transaction that queues it."""
    await connection.execute(
        insert(reads).values(
            import_id=import_id,
            source_id=read.source_id,
            target=TARGET.dump_python(read.target, mode="json"),
            sealed_password=read.sealed_password,
            wanted=None if read.wanted is None else WANTED.dump_python(read.wanted, mode="json"),
        )
    )


async def read_of(connection: AsyncConnection, import_id: ImportId) -> Read | None:
    """What an import reads; with a saved source, by that source as it is now."""
    statement = (
        select(reads, *(column.label(f"saved_{column.name}") for column in sources.c))
        .select_from(reads.outerjoin(sources, reads.c.source_id == sources.c.id))
        .where(reads.c.import_id == import_id)
    )
    row = (await connection.execute(statement)).mappings().one_or_none()
    if row is None:
        return None
    wanted = None if row["wanted"] is None else WANTED.validate_python(row["wanted"])
    if row["source_id"] is None:
        target = TARGET.validate_python(row["target"])
        return Read(None, target, row["sealed_password"], wanted)
    saved = _target({name: row[f"saved_{name}"] for name in sources.c.keys()})  # noqa: SIM118
    return Read(SourceId(row["source_id"]), saved, row["saved_sealed_password"], wanted)


async def forget_passwords(connection: AsyncConnection, *, days: int) -> int:
    """Forget what is left: passwords of imports that succeeded, or ended `days` ago; how many."""
    over = select(imports.c.id).where(
        (imports.c.state == State.SUCCEEDED.value)
        | (imports.c.finished_at < text("now() - make_interval(days => :days)")),
    )
    statement = (
        update(reads)
        .where(reads.c.sealed_password.is_not(None), reads.c.import_id.in_(over))
        .values(sealed_password=None)
    )
    return (await connection.execute(statement, {"days": days})).rowcount


async def sealed_sources(connection: AsyncConnection) -> list[Sealed]:
    """Every saved source's password, its row locked until the end of the transaction."""
    statement = (
        select(sources.c.id, sources.c.sealed_password).order_by(sources.c.id).with_for_update()
    )
    return [Sealed(row.id, row.sealed_password) for row in await connection.execute(statement)]


async def sealed_reads(connection: AsyncConnection) -> list[Sealed]:
    """Every import's own password, its row locked until the end of the transaction."""
    statement = (
        select(reads.c.import_id, reads.c.sealed_password)
        .where(reads.c.sealed_password.is_not(None))
        .order_by(reads.c.import_id)
        .with_for_update()
    )
    found = await connection.execute(statement)
    return [Sealed(row.import_id, row.sealed_password) for row in found]


async def reseal_source(connection: AsyncConnection, sealed: Sealed) -> None:
    """Replace a saved source's sealed password."""
    await connection.execute(
        update(sources).where(sources.c.id == sealed.id).values(sealed_password=sealed.password)
    )


async def reseal_read(connection: AsyncConnection, sealed: Sealed) -> None:
    """Replace an import's sealed password."""
    await connection.execute(
        update(reads).where(reads.c.import_id == sealed.id).values(sealed_password=sealed.password)
    )


async def own_identity(connection: AsyncConnection) -> str:
    """What identifies our own database, however it is reached."""
    return str((await connection.execute(text(IDENTITY))).scalar_one())


def _seen_by(viewer: Caller) -> ColumnElement[bool]:
    return true() if viewer.is_admin else sources.c.owner_sub == viewer.sub


def _saved(row: RowMapping) -> SavedSource:
    return SavedSource(
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
    )
