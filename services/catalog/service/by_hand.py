"""Changes that people make themselves; each leaves a line in the audit trail."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.catalog.clients import RecordsClient
from services.catalog.domain import Edge, Etl, Removal, Table, TableKey
from services.catalog.errors import (
    EdgeNotYoursError,
    EdgeUnknownError,
    EtlExistsError,
    TableUnknownError,
)
from services.catalog.repository import browsing, edges, locks
from services.catalog.service.namespaces import Namespaces
from services.catalog.service.naming import require_etl, require_table
from services.catalog.tables import BOOKS
from shared.contracts.auth import Caller
from shared.contracts.catalog import INDEXED_BYTES, fit_an_index
from shared.errors import InvalidInputError
from shared.store.transaction import Transaction, transaction


@dataclass(frozen=True, slots=True)
class EdgeAddress:
    """An edge as a path names it; a namespace that is None was not given."""

    etl: str
    etl_namespace: str | None
    schema: str | None
    table: str
    namespace: str | None


@dataclass(frozen=True, slots=True)
class ByHand:
    """Enters and removes ETLs and edges for a caller."""

    engine: AsyncEngine
    namespaces: Namespaces
    records: RecordsClient

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

    async def enter_edge(self, caller: Caller, address: EdgeAddress) -> Edge:
        """The edge from an ETL to a table; one that is known already stays as it is.

        Schema and table are inserted when unknown, but for the schema `data`, whose tables enter
        the catalog when they are created. Raises as `require_etl`, AmbiguousNameError,
        TableUnknownError, CatalogBusyError.
        """
        stored = await self.namespaces.stored(address.namespace)
        async with transaction(self.engine, BOOKS) as tx:
            await locks.write_beside_others(tx.connection)
            etl = await require_etl(tx.connection, address.etl, namespace=address.etl_namespace)
            now = await edges.now(tx.connection)
            try:
                table = await require_table(
                    tx.connection, address.schema, address.table, namespace=stored
                )
                table_id, key = table.id, table.key
            except TableUnknownError:
                key = TableKey(address.schema, address.table, stored or None)
                _check_new(key)
                table_id = await edges.ensure_table(tx.connection, key, seen_at=now)
            edge = await browsing.find_edge(tx.connection, etl_id=etl.id, table_id=table_id)
            if edge is None:
                by_hand = edges.Sighting(etl.id, table_id, now, now, entered_by=caller.sub)
                await edges.add_edges(tx.connection, [by_hand])
                await _record(tx, caller, "edge.create", etl, key)
                edge = await browsing.find_edge(tx.connection, etl_id=etl.id, table_id=table_id)
        assert edge is not None
        return edge

    async def remove_edge(self, caller: Caller, address: EdgeAddress) -> None:
        """Take an edge out; it stays in the history, and the ETL and the table stay.

        An edge that was entered by hand is for whoever entered it, one that an import or a scan
        saw for the table's owners, both for admins. Raises as `require_etl` and `require_table`,
        EdgeUnknownError, EdgeNotYoursError, CatalogBusyError.
        """
        stored = await self.namespaces.stored(address.namespace)
        async with self.engine.connect() as connection:
            etl, table, edge = await _require_edge(connection, address, stored)
        if not await self._may_remove(caller, edge):
            raise EdgeNotYoursError(
                "an edge that was entered by hand is removed by whoever entered it, any other by"
                " the owners of its table; admins remove both"
            )
        async with transaction(self.engine, BOOKS) as tx:
            await locks.write_beside_others(tx.connection)
            removed = await edges.remove_edge(
                tx.connection,
                etl_id=etl.id,
                table_id=table.id,
                removed_by=caller.label,
                reason=Removal.BY_HAND,
            )
            if not removed:
                raise _unknown_edge(etl, table)
            await _record(tx, caller, "edge.delete", etl, table.key)

    async def _may_remove(self, caller: Caller, edge: Edge) -> bool:
        if caller.is_admin:
            return True
        if edge.is_by_hand:
            return edge.entered_by == caller.sub
        return edge.table.is_ours and await self.records.owns(edge.table.name, caller)


def _check_new(key: TableKey) -> None:
    if key.is_ours:
        raise TableUnknownError(
            f"there is no table {key.label!r}; make it through /api/tables first"
        )
    if not fit_an_index(key.schema or "", key.name, key.namespace or ""):
        message = f"namespace, schema and table have at most {INDEXED_BYTES} bytes together"
        raise InvalidInputError.of("table", "too_long", message)


async def _require_edge(
    connection: AsyncConnection, address: EdgeAddress, namespace: str | None
) -> tuple[Etl, Table, Edge]:
    etl = await require_etl(connection, address.etl, namespace=address.etl_namespace)
    table = await require_table(connection, address.schema, address.table, namespace=namespace)
    edge = await browsing.find_edge(connection, etl_id=etl.id, table_id=table.id)
    if edge is None:
        raise _unknown_edge(etl, table)
    return etl, table, edge


def _unknown_edge(etl: Etl, table: Table) -> EdgeUnknownError:
    return EdgeUnknownError(f"the catalog has no edge from {etl.key.name!r} to {table.key.label!r}")


async def _record(tx: Transaction, caller: Caller, action: str, etl: Etl, key: TableKey) -> None:
    namespaces = {"namespace": key.namespace, "etl_namespace": etl.key.namespace}
    given = {name: value for name, value in namespaces.items() if value is not None}
    await tx.record(
        caller, action, f"etl:{etl.key.name}", schema=key.schema, table=key.name, **given
    )
