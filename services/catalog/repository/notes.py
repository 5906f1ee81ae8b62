"""What people write of tables, columns and ETLs."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.domain import Changes
from services.catalog.tables import ColumnNoteRow, EtlRow, TableRow

ColumnNote = tuple[str | None, tuple[str, ...]]
"""Description and tags."""


async def of_columns(connection: AsyncConnection, table_id: int) -> Mapping[str, ColumnNote]:
    """The notes of a table's columns, by name."""
    statement = select(ColumnNoteRow.name, ColumnNoteRow.description, ColumnNoteRow.tags)
    rows = await connection.execute(statement.where(ColumnNoteRow.table_id == table_id))
    return {name: (description, tuple(tags or ())) for name, description, tags in rows}


async def change_table(connection: AsyncConnection, table_id: int, changes: Changes) -> None:
    """Change what is written of a table and of its columns."""
    if values := _values(changes, "description", "tags", "owners"):
        await connection.execute(update(TableRow).where(TableRow.id == table_id).values(values))
    for name, column in sorted(changes.columns.items()):
        values = _values(column, "description", "tags")
        statement = insert(ColumnNoteRow).values(table_id=table_id, name=name, **values)
        if values:
            key = [ColumnNoteRow.table_id, ColumnNoteRow.name]
            await connection.execute(
                statement.on_conflict_do_update(index_elements=key, set_=values)
            )
    empty = ColumnNoteRow.description.is_(None) & ColumnNoteRow.tags.is_(None)
    await connection.execute(delete(ColumnNoteRow).where(ColumnNoteRow.table_id == table_id, empty))


async def change_etl(connection: AsyncConnection, etl_id: int, changes: Changes) -> None:
    """Change what is written of an ETL."""
    if values := _values(changes, "description", "tags", "owners"):
        await connection.execute(update(EtlRow).where(EtlRow.id == etl_id).values(values))


def _values(changes: Changes, *names: str) -> dict[str, Any]:
    """The columns to set; an empty list or text is stored as none."""
    given: dict[str, Any] = {
        "description": changes.description or None,
        "tags": list(changes.tags) or None,
        "owners": list(changes.owners) or None,
    }
    return {name: given[name] for name in names if name in changes.given}
