"""The catalog's peers: records knows columns and who may see them, ingest knows the imports."""

from collections.abc import Collection, Mapping, Sequence

from services.catalog.domain import TableKey
from shared.contracts.auth import Caller
from shared.contracts.ingest import (
    ImportSummaries,
    ImportSummary,
    ProfilePicture,
    TableProfile,
)
from shared.contracts.records import (
    ColumnFound,
    ColumnsFound,
    ColumnsRequest,
    DescribeRequest,
    VisibilityRequest,
    VisibleTable,
    VisibleTables,
)
from shared.http.peers import PeerClient, PeerProblemError

PEER_TIMEOUT_S = 5
"""Short: the catalog's own part of an answer is worth having without its peers."""


class RecordsClient:
    """Asks records about tables of the schema `data`."""

    def __init__(self, peer: PeerClient) -> None:
        self._peer = peer

    async def describe(self, table: str, caller: Caller) -> VisibleTable | None:
        """What the caller may see of a table, or None where that is nothing.

        Raises PeerUnavailableError while records is away.
        """
        request = DescribeRequest(table=table, caller=caller)
        try:
            return await self._peer.call(
                "POST",
                "/internal/tables/describe",
                VisibleTable,
                body=request,
                timeout_s=PEER_TIMEOUT_S,
            )
        except PeerProblemError as exc:
            if exc.status == 404:
                return None
            raise

    async def owns(self, table: str, caller: Caller) -> bool:
        """Whether the caller has the level `owner` on a table; raises as `describe`."""
        visible = await self.describe(table, caller)
        return visible is not None and visible.level == "owner"

    async def visible_among(self, tables: Collection[str], caller: Caller) -> frozenset[str]:
        """Those of the tables that the caller may see; raises as `describe`."""
        request = VisibilityRequest(tables=tuple(tables), caller=caller)
        answer = await self._peer.call(
            "POST",
            "/internal/tables/visible",
            VisibleTables,
            body=request,
            timeout_s=PEER_TIMEOUT_S,
        )
        return frozenset(answer.tables)

    async def columns_with_words(
        self, words: Sequence[str], caller: Caller, *, limit: int
    ) -> tuple[ColumnFound, ...]:
        """Columns of tables that the caller may see, with each word; raises as `describe`."""
        request = ColumnsRequest(words=tuple(words), caller=caller, limit=limit)
        answer = await self._peer.call(
            "POST", "/internal/columns", ColumnsFound, body=request, timeout_s=PEER_TIMEOUT_S
        )
        return answer.items

    async def hidden_among(
        self, tables: Collection[TableKey], caller: Caller
    ) -> frozenset[TableKey]:
        """Those of the tables made here that the caller may not see; raises as `describe`."""
        ours = {table for table in tables if table.is_ours}
        if not ours or caller.is_admin:
            return frozenset()
        visible = await self.visible_among({table.name for table in ours}, caller)
        return frozenset(table for table in ours if table.name not in visible)


class IngestClient:
    """Asks ingest about imports."""

    def __init__(self, peer: PeerClient) -> None:
        self._peer = peer

    async def last_imports(
        self, *, table: str | None = None, etl: str | None = None, limit: int = 10
    ) -> tuple[ImportSummary, ...]:
        """The newest imports into a table of the schema `data`, or of an ETL.

        Raises PeerUnavailableError while ingest is away.
        """
        given = {"table": table, "etl": etl, "limit": str(limit)}
        params = {name: value for name, value in given.items() if value is not None}
        answer = await self._peer.call(
            "GET", "/internal/imports", ImportSummaries, params=params, timeout_s=PEER_TIMEOUT_S
        )
        return answer.items

    async def profile(self, table: str, *, import_id: int | None) -> TableProfile:
        """What is in the rows of an import into a table, by default of the newest.

        Raises PeerProblemError, 404, where there is no such profile; as `last_imports`.
        """
        return await self._peer.call(
            "GET", "/internal/profiles", TableProfile, params=_profile_of(table, import_id)
        )

    async def profile_picture(self, table: str, *, import_id: int | None) -> str:
        """The same as SVG."""
        picture = await self._peer.call(
            "GET",
            "/internal/profiles/picture",
            ProfilePicture,
            params=_profile_of(table, import_id),
        )
        return picture.svg


def _profile_of(table: str, import_id: int | None) -> Mapping[str, str]:
    return {"table": table} | ({} if import_id is None else {"import": str(import_id)})
