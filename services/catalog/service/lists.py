"""The catalog's lists, and all tables of an ETL."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from services.catalog.domain import Etl, Schema, Table, TableKey, Window
from services.catalog.errors import EtlUnknownError
from services.catalog.repository import browsing, lists
from services.catalog.service.namespaces import Namespaces
from shared.http.paging import Slice


@dataclass(frozen=True, slots=True)
class Lists:
    """Reads that need nothing but the catalog's own tables.

    `namespace` narrows a list to one; the empty one is that of names without a namespace.
    """

    engine: AsyncEngine
    namespaces: Namespaces

    async def schemas(
        self, window: Window, *, q: str | None, namespace: str | None, counted: bool
    ) -> Slice[Schema]:
        """Schemas by name; `q` is a part of the name."""
        stored = await self.namespaces.stored(namespace)
        async with self.engine.connect() as connection:
            return await lists.list_schemas(
                connection, window, q=q, namespace=stored, counted=counted
            )

    async def tables(
        self,
        window: Window,
        *,
        q: str | None,
        schema: str | None,
        namespace: str | None,
        dropped: bool | None,
        counted: bool,
    ) -> Slice[Table]:
        """Tables by schema and name; `q` is a part of `schema.name`, an empty `schema` none."""
        stored = await self.namespaces.stored(namespace)
        async with self.engine.connect() as connection:
            return await lists.list_tables(
                connection,
                window,
                q=q,
                schema=schema,
                namespace=stored,
                dropped=dropped,
                counted=counted,
            )

    async def etls(
        self, window: Window, *, q: str | None, namespace: str | None, counted: bool
    ) -> Slice[Etl]:
        """ETLs by name; `q` is a part of the name or the description."""
        async with self.engine.connect() as connection:
            return await lists.list_etls(
                connection, window, q=q, namespace=namespace, counted=counted
            )

    async def tables_of_etl(self, name: str) -> AsyncIterator[list[TableKey]]:
        """All tables of the ETLs of a name by schema and name, in pieces.

        Raises EtlUnknownError at once.
        """
        async with self.engine.connect() as connection:
            etls = await browsing.etls_named(connection, name, namespace=None)
        if not etls:
            raise EtlUnknownError(name)
        return self._streamed([etl.id for etl in etls])

    async def _streamed(self, etl_ids: Sequence[int]) -> AsyncIterator[list[TableKey]]:
        async with self.engine.connect() as connection:
            async for piece in browsing.stream_tables(connection, etl_ids):
                yield piece
