"""Changes that people make themselves; each leaves a line in the audit trail."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.catalog.domain import Edge, Etl, TableKey
from services.catalog.errors import (
    EdgeUnknownError,
    EtlExistsError,
    EtlUnknownError,
    TableUnknownError,
)
from services.catalog.repository import browsing, edges, locks
from services.catalog.tables import BOOKS
from shared.contracts.auth import Caller
from shared.contracts.records import DATA_SCHEMA
from shared.store.transaction import Transaction, transaction


@dataclass(frozen=True, slots=True)
class ByHand:
    """Enters and removes ETLs and edges for a caller."""

    engine: AsyncEngine

    async def enter_etl(self, caller: Caller, name: str, *, description: str | None) -> Etl:
        """A new ETL. Raises EtlExistsError, CatalogBusyError."""
        async with transaction(self.engine, BOOKS) as tx:
            await locks.write_beside_others(tx.connection)
            etl = await edges.create_etl(tx.connection, name, description=description)
            if etl is None:
                raise EtlExistsError(f"there is an ETL named {name!r} already")
            await tx.record(caller, "etl.create", f"etl:{name}")
            await tx.seal()
        return etl

    async def enter_edge(self, caller: Caller, etl: str, key: TableKey) -> Edge:
        """The edge from an ETL to a table; one that is known already stays as it is.

        Schema and table are inserted when unknown, but for the schema `data`, whose tables enter
        the catalog when they are created.
        Raises EtlUnknownError, TableUnknownError, CatalogBusyError.
        """
        async with transaction(self.engine, BOOKS) as tx:
            await locks.write_beside_others(tx.connection)
            etl_id = await _require_etl(tx.connection, etl)
            table_id = await edges.find_table_id(tx.connection, key)
            now = await edges.now(tx.connection)
            if table_id is None:
                if key.schema == DATA_SCHEMA:
                    raise TableUnknownError(
                        f"there is no table {key.label!r}; make it through /api/tables first"
                    )
                table_id = await edges.ensure_table(tx.connection, key, seen_at=now)
            edge = await browsing.find_edge(tx.connection, etl_id=etl_id, table_id=table_id)
            if edge is None:
                await edges.add_edge(
                    tx.connection, etl_id=etl_id, table_id=table_id, seen_at=now, import_id=None
                )
                await _record(tx, caller, "edge.create", etl, key)
                edge = await browsing.find_edge(tx.connection, etl_id=etl_id, table_id=table_id)
        assert edge is not None
        return edge

    async def remove_edge(self, caller: Caller, etl: str, key: TableKey) -> None:
        """Delete an edge; the ETL and the table stay.

        Raises EtlUnknownError, TableUnknownError, EdgeUnknownError, CatalogBusyError.
        """
        async with transaction(self.engine, BOOKS) as tx:
            await locks.write_beside_others(tx.connection)
            etl_id = await _require_etl(tx.connection, etl)
            table_id = await edges.find_table_id(tx.connection, key)
            if table_id is None:
                raise TableUnknownError(f"the catalog has no table {key.label!r}")
            if not await edges.remove_edge(tx.connection, etl_id=etl_id, table_id=table_id):
                raise EdgeUnknownError(f"the catalog has no edge from {etl!r} to {key.label!r}")
            await _record(tx, caller, "edge.delete", etl, key)


async def _require_etl(connection: AsyncConnection, name: str) -> int:
    etl_id = await edges.find_etl_id(connection, name)
    if etl_id is None:
        raise EtlUnknownError(name)
    return etl_id


async def _record(tx: Transaction, caller: Caller, action: str, etl: str, key: TableKey) -> None:
    await tx.record(caller, action, f"etl:{etl}", schema=key.schema, table=key.name)
