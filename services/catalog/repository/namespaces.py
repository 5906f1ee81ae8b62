"""Aliases of namespaces, and the tables that move from one namespace to another."""

from collections.abc import Mapping

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from services.catalog.repository import moving
from services.catalog.tables import NamespaceRow, SchemaRow, TableRow

SCHEMAS_MOVED = text(
    "INSERT INTO catalog.schemas (name, namespace, first_seen)"
    " SELECT name, :target, first_seen FROM catalog.schemas WHERE namespace = :source"
    " ON CONFLICT DO NOTHING"
)


async def aliases(connection: AsyncConnection) -> Mapping[str, str]:
    """What each alias stands for."""
    rows = await connection.execute(select(NamespaceRow.alias, NamespaceRow.same_as))
    return dict(rows.all())


async def put(connection: AsyncConnection, alias: str, *, same_as: str) -> None:
    """Make an alias, or change what it stands for."""
    statement = insert(NamespaceRow).values(alias=alias, same_as=same_as)
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=[NamespaceRow.alias], set_={"same_as": same_as}
        )
    )


async def remove(connection: AsyncConnection, alias: str) -> bool:
    """Delete an alias; returns whether there was one."""
    deleted = await connection.execute(delete(NamespaceRow).where(NamespaceRow.alias == alias))
    return deleted.rowcount > 0


async def move_tables(connection: AsyncConnection, *, source: str, target: str) -> int:
    """Give every table of one namespace to another; returns their number.

    A table that both have becomes one, with the edges of both. The caller writes alone.
    """
    await connection.execute(SCHEMAS_MOVED, {"source": source, "target": target})
    ours, theirs = aliased(TableRow), aliased(TableRow)
    both = (
        select(theirs.id, ours.id)
        .join(
            ours,
            (ours.schema_name == theirs.schema_name)
            & (ours.name == theirs.name)
            & (ours.namespace == target),
        )
        .where(theirs.namespace == source)
        .order_by(theirs.id)
    )
    pairs = (await connection.execute(both)).all()
    for source_id, target_id in pairs:
        await moving.move(connection, source_id, target_id)
    moved = await connection.execute(
        update(TableRow).where(TableRow.namespace == source).values(namespace=target)
    )
    await connection.execute(delete(SchemaRow).where(SchemaRow.namespace == source))
    return len(pairs) + moved.rowcount


async def known(connection: AsyncConnection) -> Mapping[str, int]:
    """Every namespace that a table has, with the number of its tables."""
    rows = await connection.execute(
        select(TableRow.namespace, func.count())
        .group_by(TableRow.namespace)
        .order_by(TableRow.namespace)
    )
    return dict(rows.all())
