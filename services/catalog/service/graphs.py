"""The graph of ETLs and tables, or a part of it."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from services.catalog.domain import Graph
from services.catalog.errors import EtlUnknownError, TableUnknownError
from services.catalog.repository import browsing
from services.catalog.service.namespaces import Namespaces


@dataclass(frozen=True, slots=True)
class Graphs:
    """Reads edges for a picture."""

    engine: AsyncEngine
    namespaces: Namespaces

    async def read(
        self, *, etl: str | None, table: str | None, namespace: str | None, limit: int
    ) -> Graph:
        """The edges of an ETL, of a table (`schema.name`, or a name), or of all, in order.

        With `namespace`, those of its tables. Raises EtlUnknownError, TableUnknownError.
        """
        stored = await self.namespaces.stored(namespace)
        async with self.engine.connect() as connection:
            if etl is not None and not await browsing.etls_named(connection, etl, namespace=None):
                raise EtlUnknownError(etl)
            if table is not None and not await browsing.is_table_known(
                connection, table, namespace=stored
            ):
                raise TableUnknownError(f"the catalog has no table {table!r}")
            return await browsing.read_graph(
                connection, etl=etl, table=table, namespace=stored, limit=limit
            )
