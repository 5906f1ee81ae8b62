"""Changes that people make themselves; each leaves a line in the audit trail."""

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.catalog.domain import TableKey
from services.catalog.errors import (
    EdgeUnknownError,
    EtlExistsError,
    EtlUnknownError,
    TableUnknownError,
)
from services.catalog.repository import edges, locks
from services.catalog.schemas import EdgeAnswer, EtlItem, NewEtl
from shared.contracts.auth import Caller
from shared.contracts.records import DATA_SCHEMA
from shared.store.audit import record_event


async def create_etl(engine: AsyncEngine, new: NewEtl, *, caller: Caller) -> EtlItem:
    """Enter an ETL; raises EtlExistsError when the name is taken."""
    async with engine.begin() as connection:
        await locks.write_beside_others(connection)
        row = await edges.create_etl(connection, name=new.name, description=new.description)
        if row is None:
            raise EtlExistsError(f"there is an ETL named {new.name!r} already")
        await record_event(
            connection, subject=caller.sub, action="etl.create", object_=f"etl:{new.name}"
        )
    return EtlItem.model_validate(row)


async def add_edge(engine: AsyncEngine, etl: str, key: TableKey, *, caller: Caller) -> EdgeAnswer:
    """Enter that an ETL feeds a table; an edge that is known already stays as it is.

    Schema and table are made when unknown, but for the schema `data`, whose tables enter the
    catalog when they are made. Raises EtlUnknownError and TableUnknownError.
    """
    async with engine.begin() as connection:
        await locks.write_beside_others(connection)
        etl_id = await _require_etl(connection, etl)
        table_id = await edges.find_table_id(connection, key)
        now = await edges.now(connection)
        if table_id is None:
            if key.schema == DATA_SCHEMA:
                raise TableUnknownError(
                    f"there is no table {key.label!r}; make it through /api/tables first"
                )
            table_id = await edges.ensure_table(connection, key, seen_at=now)
        found = await edges.find_edge(connection, etl_id=etl_id, table_id=table_id)
        if found is None:
            await edges.add_edge(
                connection, etl_id=etl_id, table_id=table_id, seen_at=now, import_id=None
            )
            await _tell(connection, caller, "edge.create", etl, key)
            found = await edges.find_edge(connection, etl_id=etl_id, table_id=table_id)
        assert found is not None
    return _answer(etl, key, found)


async def remove_edge(engine: AsyncEngine, etl: str, key: TableKey, *, caller: Caller) -> None:
    """Take an edge out; the ETL and the table stay.

    Raises EtlUnknownError, TableUnknownError, EdgeUnknownError.
    """
    async with engine.begin() as connection:
        await locks.write_beside_others(connection)
        etl_id = await _require_etl(connection, etl)
        table_id = await edges.find_table_id(connection, key)
        if table_id is None:
            raise TableUnknownError(f"the catalog knows no table {key.label!r}")
        if not await edges.remove_edge(connection, etl_id=etl_id, table_id=table_id):
            raise EdgeUnknownError(f"the catalog has no edge from {etl!r} to {key.label!r}")
        await _tell(connection, caller, "edge.delete", etl, key)


async def _require_etl(connection: AsyncConnection, name: str) -> int:
    etl_id = await edges.find_etl_id(connection, name)
    if etl_id is None:
        raise EtlUnknownError(name)
    return etl_id


async def _tell(
    connection: AsyncConnection, caller: Caller, action: str, etl: str, key: TableKey
) -> None:
    await record_event(
        connection,
        subject=caller.sub,
        action=action,
        object_=f"etl:{etl}",
        detail={"schema": key.schema, "table": key.name},
    )


def _answer(etl: str, key: TableKey, facts: RowMapping) -> EdgeAnswer:
    return EdgeAnswer.model_validate({**facts, "etl": etl, "schema": key.schema, "table": key.name})
