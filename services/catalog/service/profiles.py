"""What is in a table's rows, for those who may read it; ingest keeps it, import by import."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from services.catalog.clients import IngestClient, RecordsClient
from services.catalog.service.namespaces import Namespaces
from services.catalog.service.naming import require_table
from shared.contracts.auth import Caller
from shared.contracts.ingest import TableProfile
from shared.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class Profiles:
    """Profiles of the tables that were made here; of others there is none."""

    engine: AsyncEngine
    namespaces: Namespaces
    records: RecordsClient
    ingest: IngestClient

    async def read(
        self,
        caller: Caller,
        schema: str | None,
        name: str,
        *,
        namespace: str | None,
        import_id: int | None,
    ) -> TableProfile:
        """The profile of an import's rows, by default of the newest that are in the table.

        Raises as `require_table`, NotFoundError for what the caller may not read, PeerProblemError
        where there is no profile, PeerUnavailableError.
        """
        table = await self._readable(caller, schema, name, namespace)
        return await self.ingest.profile(table, import_id=import_id)

    async def picture(
        self,
        caller: Caller,
        schema: str | None,
        name: str,
        *,
        namespace: str | None,
        import_id: int | None,
    ) -> str:
        """The same as SVG; raises as `read`."""
        table = await self._readable(caller, schema, name, namespace)
        return await self.ingest.profile_picture(table, import_id=import_id)

    async def _readable(
        self, caller: Caller, schema: str | None, name: str, namespace: str | None
    ) -> str:
        stored = await self.namespaces.stored(namespace)
        async with self.engine.connect() as connection:
            table = await require_table(connection, schema, name, namespace=stored)
        if not table.key.is_ours or await self.records.describe(table.key.name, caller) is None:
            raise NotFoundError(f"{table.key.label} has no profile, or you may not read it")
        return table.key.name
