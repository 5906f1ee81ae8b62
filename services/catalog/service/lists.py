"""The catalog's lists, and all tables of an ETL."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from services.catalog.domain import Etl, Schema, Table, TableKey, Window
from services.catalog.errors import EtlUnknownError
from services.catalog.repository import browsing, edges, lists
from shared.http.paging import Slice


@dataclass(frozen=True, slots=True)
class Lists:
    """Reads that need nothing but the catalog's own tables."""

    engine: AsyncEngine

    async def schemas(self, window: Window, *, q: str | None, counted: bool) -> Slice[Schema]:
        """Schemas by name; `q` is a part of the name."""
        async with self.engine.connect() as connection:
            return await lists.list_schemas(connection, window, q=q, counted=counted)

    async def tables(
        self,
        window: Window,
        *,
        q: str | None,
        schema: str | None,
        dropped: bool | None,
        counted: bool,
    ) -> Slice[Table]:
        """Tables by schema and name; `q` is a part of `schema.name`."""
        async with self.engine.connect() as connection:
            return await lists.list_tables(
                connection, window, q=q, schema=schema, dropped=dropped, counted=counted
            )

    async def etls(self, window: Window, *, q: str | None, counted: bool) -> Slice[Etl]:
        """ETLs by name; `q` is a part of the name or the description."""
        async with self.engine.connect() as connection:
            return await lists.list_etls(connection, window, q=q, counted=counted)

    async def tables_of_etl(self, name: str) -> AsyncIterator[list[TableKey]]:
        """All tables of an ETL by schema and name, in pieces; raises EtlUnknownError at once."""
        async with self.engine.connect() as connection:
            etl_id = await edges.find_etl_id(connection, name)
        if etl_id is None:
            raise EtlUnknownError(name)
        return self._streamed(etl_id)

    async def _streamed(self, etl_id: int) -> AsyncIterator[list[TableKey]]:
        async with self.engine.connect() as connection:
            async for piece in browsing.stream_tables(connection, etl_id):
                yield piece
