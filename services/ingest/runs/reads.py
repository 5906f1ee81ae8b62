"""What an import reads of another database; its own password is sealed here until it has ended."""

from dataclasses import dataclass

from pydantic import TypeAdapter
from sqlalchemy import insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.connections.domain import Sealed, Selection, SourceId, SourceTarget
from services.ingest.domain.run import ImportId, State
from services.ingest.tables import imports, reads

TARGET = TypeAdapter(SourceTarget)
SELECTION: TypeAdapter[Selection] = TypeAdapter(Selection)


@dataclass(frozen=True, slots=True)
class DatabaseRead:
    """What an import reads; `selection` None is a scan of the whole database.

    With a `source_id` target and password are the saved connection's, as it is when the import
    runs; without one they stand here, the password sealed until the import succeeds.
    """

    source_id: SourceId | None
    target: SourceTarget
    sealed_password: bytes | None
    selection: Selection | None


def read_row(import_id: int) -> str:
    """What a password is sealed with: the row that says what an import reads."""
    return f"ingest.reads:{import_id}"


async def keep(connection: AsyncConnection, import_id: ImportId, read: DatabaseRead) -> None:
    """Store what an import reads, in the transaction that queues it."""
    await connection.execute(
        insert(reads).values(
            import_id=import_id,
            source_id=read.source_id,
            target=TARGET.dump_python(read.target, mode="json"),
            sealed_password=read.sealed_password,
            wanted=None
            if read.selection is None
            else SELECTION.dump_python(read.selection, mode="json"),
        )
    )


async def one(connection: AsyncConnection, import_id: ImportId) -> DatabaseRead | None:
    """What an import reads; None for an import that reads no database."""
    statement = select(
        reads.c.source_id, reads.c.target, reads.c.sealed_password, reads.c.wanted
    ).where(reads.c.import_id == import_id)
    row = (await connection.execute(statement)).one_or_none()
    if row is None:
        return None
    return DatabaseRead(
        source_id=row.source_id,
        target=TARGET.validate_python(row.target),
        sealed_password=row.sealed_password,
        selection=None if row.wanted is None else SELECTION.validate_python(row.wanted),
    )


async def forget_passwords(connection: AsyncConnection, *, days: int) -> int:
    """Delete passwords of imports that succeeded or ended `days` ago; returns how many."""
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


async def sealed(connection: AsyncConnection) -> list[Sealed]:
    """Every import's own password, its row locked until the end of the transaction."""
    statement = (
        select(reads.c.import_id, reads.c.sealed_password)
        .where(reads.c.sealed_password.is_not(None))
        .order_by(reads.c.import_id)
        .with_for_update()
    )
    rows = await connection.execute(statement)
    return [Sealed(row.import_id, row.sealed_password) for row in rows]


async def reseal(connection: AsyncConnection, password: Sealed) -> None:
    """Replace an import's sealed password."""
    await connection.execute(
        update(reads)
        .where(reads.c.import_id == password.id)
        .values(sealed_password=password.password)
    )
