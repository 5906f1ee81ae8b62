"""Descriptions, tags and owners that people give to tables, columns and ETLs."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from services.catalog.clients import RecordsClient
from services.catalog.domain import Changes, EtlDetails, TableDetails
from services.catalog.errors import TableNotYoursError
from services.catalog.repository import locks, notes
from services.catalog.service.details import Details
from services.catalog.service.namespaces import Namespaces
from services.catalog.service.naming import require_etl, require_table
from services.catalog.tables import BOOKS
from shared.contracts.auth import Caller
from shared.contracts.problem import FieldError
from shared.errors import InvalidInputError
from shared.store.transaction import transaction

SHOWN_EDGES = 100


@dataclass(frozen=True, slots=True)
class Notes:
    """Changes what is written; each change leaves a line in the audit trail."""

    engine: AsyncEngine
    namespaces: Namespaces
    records: RecordsClient
    details: Details

    async def describe_table(
        self,
        caller: Caller,
        schema: str | None,
        name: str,
        changes: Changes,
        *,
        namespace: str | None,
    ) -> TableDetails:
        """Change a table's notes, and those of its columns.

        A table in `data` is described by its owners and admins. Raises as `require_table`,
        TableNotYoursError, InvalidInputError for a column that is not known,
        PeerUnavailableError, CatalogBusyError.
        """
        before = await self._shown(caller, schema, name, namespace)
        key = before.table.key
        if key.is_ours and not (caller.is_admin or await self.records.owns(key.name, caller)):
            raise TableNotYoursError(f"the owners of {key.label!r} describe it, and admins")
        _check_columns(before, changes)
        stored = await self.namespaces.stored(namespace)
        async with transaction(self.engine, BOOKS) as tx:
            await locks.write_beside_others(tx.connection)
            table = await require_table(tx.connection, schema, name, namespace=stored)
            await notes.change_table(tx.connection, table.id, changes)
            await tx.record(
                caller,
                "table.describe",
                f"table:{key.label}",
                fields=sorted(changes.given),
                columns=sorted(changes.columns),
            )
        return await self._shown(caller, schema, name, namespace)

    async def describe_etl(
        self, caller: Caller, name: str, changes: Changes, *, namespace: str | None
    ) -> EtlDetails:
        """Change an ETL's notes. Raises as `require_etl`, CatalogBusyError."""
        async with transaction(self.engine, BOOKS) as tx:
            await locks.write_beside_others(tx.connection)
            etl = await require_etl(tx.connection, name, namespace=namespace)
            await notes.change_etl(tx.connection, etl.id, changes)
            await tx.record(caller, "etl.describe", f"etl:{name}", fields=sorted(changes.given))
        return await self.details.etl(
            caller, name, namespace=namespace, limit=SHOWN_EDGES, after=None
        )

    async def _shown(
        self, caller: Caller, schema: str | None, name: str, namespace: str | None
    ) -> TableDetails:
        return await self.details.table(
            caller, schema, name, namespace=namespace, limit=SHOWN_EDGES, after=None
        )


def _check_columns(details: TableDetails, changes: Changes) -> None:
    columns = () if details.columns is None else details.columns.columns
    known = {column.name for column in columns}
    unknown = [name for name in changes.columns if name not in known]
    if unknown:
        raise InvalidInputError.of_fields(
            [
                FieldError(
                    field=f"columns.{name}",
                    code="column_unknown",
                    message=f"the catalog knows no column {name!r} of this table",
                )
                for name in unknown
            ]
        )
