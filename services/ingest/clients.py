"""The peers that imports need: records makes and describes tables, the catalog keeps edges."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar
from urllib.parse import quote

from services.ingest.domain.run import ImportId
from shared.contracts.auth import Caller, CallerAsked, CallerNow
from shared.contracts.catalog import EdgeSeen, EdgesSeen, EdgeUndone, MergeAnswer
from shared.contracts.records import (
    ColumnsForImport,
    ContractRequest,
    DescribeRequest,
    NewColumn,
    TableContract,
    TableForImport,
    VisibleTable,
)
from shared.errors import NotFoundError
from shared.http.peers import PeerClient, PeerProblemError
from shared.store.engine import RawPool

MERGE_TIMEOUT_S = 600.0
KEPT_CONTRACTS = 1000

STATE = "SELECT state FROM records.table_states WHERE name = $1"
"""Another one as soon as a change of the table or of its grants is committed."""

Question = TypeVar("Question", bound=Hashable)
Answer = TypeVar("Answer")


class Joint(Generic[Question, Answer]):
    """Asks the same question once for all who have it at the same time.

    Nobody gets an answer to what was asked before they came: whoever comes while a question is on
    its way waits for the next one, which is asked for all of them.
    """

    def __init__(self, ask: Callable[[Question], Awaitable[Answer]]) -> None:
        self._ask = ask
        self._asked: dict[Question, asyncio.Task[Answer]] = {}
        self._next: dict[Question, asyncio.Task[Answer]] = {}

    async def answer(self, question: Question) -> Answer:
        """The answer as of now; raises what asking raises."""
        task = self._next.get(question)
        if task is None:
            before = self._asked.get(question)
            task = asyncio.create_task(self._put(question, before))
            (self._asked if before is None else self._next)[question] = task
        # One who leaves does not take the question back from the others.
        return await asyncio.shield(task)

    async def _put(self, question: Question, before: "asyncio.Task[Answer] | None") -> Answer:
        if before is not None:
            await asyncio.wait([before])
            self._asked[question] = self._next.pop(question)
        try:
            return await self._ask(question)
        finally:
            del self._asked[question]


class AuthClient:
    """The service that knows who may do what."""

    def __init__(self, peer: PeerClient) -> None:
        self._peer = peer

    async def now(self, caller: Caller) -> Caller | None:
        """The caller as of now: with no more than before, None where it may do nothing any more.

        Raises PeerUnavailableError.
        """
        asked = CallerAsked(sub=caller.sub, api_key=caller.api_key)
        try:
            answer = await self._peer.call("POST", "/internal/callers/now", CallerNow, body=asked)
        except PeerProblemError as exc:
            if exc.status != NotFoundError.status:
                raise
            return None
        return answer.narrowed(caller)


class RecordsClient:
    """The service that owns the users' tables."""

    def __init__(self, peer: PeerClient, pool: RawPool) -> None:
        self._peer = peer
        self._pool = pool
        self._contracts = Joint(self._contract)
        self._kept: OrderedDict[ContractRequest, tuple[str, TableContract]] = OrderedDict()

    async def contract(self, table: str, caller: Caller) -> TableContract:
        """What an import must know of its table, as of now.

        Raises PeerProblemError: 404 when the caller may not see it, 403 when only read it.
        """
        return await self._contracts.answer(ContractRequest(table=table, caller=caller))

    async def _contract(self, asked: ContractRequest) -> TableContract:
        # Looked up first: a contract may be newer than the state that it is kept by, never older.
        state = await self._pool.fetchval(STATE, asked.table)
        kept = self._kept.pop(asked, None)
        if kept is None or kept[0] != state:
            contract = await self._peer.call(
                "POST", "/internal/contracts", TableContract, body=asked
            )
        else:
            contract = kept[1]
        if state is not None:
            self._kept[asked] = (state, contract)
            if len(self._kept) > KEPT_CONTRACTS:
                self._kept.popitem(last=False)
        return contract

    async def sees(self, table: str, caller: Caller) -> bool:
        """Whether the caller may see the table; raises PeerUnavailableError."""
        return await self._level(table, caller) is not None

    async def owns(self, table: str, caller: Caller) -> bool:
        """Whether the caller owns the table; raises PeerUnavailableError."""
        return await self._level(table, caller) == "owner"

    async def _level(self, table: str, caller: Caller) -> str | None:
        body = DescribeRequest(table=table, caller=caller)
        try:
            visible = await self._peer.call(
                "POST", "/internal/tables/describe", VisibleTable, body=body
            )
        except PeerProblemError as exc:
            if exc.status != NotFoundError.status:
                raise
            return None
        return visible.level

    async def make_table(
        self, table: str, columns: Sequence[NewColumn], caller: Caller
    ) -> TableContract:
        """Make a table that the caller owns; PeerProblemError 409 when it exists."""
        body = TableForImport(table=table, columns=tuple(columns), caller=caller)
        return await self._peer.call("POST", "/internal/tables", TableContract, body=body)

    async def add_columns(
        self, table: str, columns: Sequence[NewColumn], caller: Caller
    ) -> TableContract:
        """Add columns to a table that the caller owns, but those that it has."""
        body = ColumnsForImport(columns=tuple(columns), caller=caller)
        path = f"/internal/tables/{quote(table, safe='')}/columns"
        return await self._peer.call("POST", path, TableContract, body=body)

    async def drop_made_table(self, table: str, oid: int) -> None:
        """Drop a table that an import made, if it is still that one and still empty."""
        path = f"/internal/tables/{quote(table, safe='')}"
        await self._peer.send("DELETE", path, params={"oid": str(oid)})


class CatalogClient:
    """The service that knows which ETL feeds which table."""

    def __init__(self, peer: PeerClient) -> None:
        self._peer = peer

    async def saw_edges(self, edges: Sequence[EdgeSeen]) -> None:
        """Report ETLs that fed tables, all of them or none; a second time changes nothing."""
        if len(edges) == 1:
            await self._peer.send("POST", "/internal/catalog/edges", body=edges[0])
        elif edges:
            body = EdgesSeen(edges=tuple(edges))
            await self._peer.send("POST", "/internal/catalog/edges/all", body=body)

    async def undid_edge(self, edge: EdgeUndone) -> None:
        """Say that the only import by which an ETL fed a table is undone; may be said again."""
        await self._peer.send("POST", "/internal/catalog/edges/undone", body=edge)

    async def merge(self, import_id: ImportId, lines: AsyncIterator[bytes]) -> MergeAnswer:
        """Stream NDJSON of CatalogTriple."""
        return await self._peer.call(
            "POST",
            "/internal/catalog/merge",
            MergeAnswer,
            params={"import_id": str(import_id)},
            lines=lines,
            timeout_s=MERGE_TIMEOUT_S,
        )

    async def scan(
        self, import_id: ImportId, *, etl: str, namespace: str, lines: AsyncIterator[bytes]
    ) -> MergeAnswer:
        """Stream NDJSON of ScanLine: all that the database `namespace` holds, under its ETL."""
        return await self._peer.call(
            "POST",
            "/internal/catalog/scan",
            MergeAnswer,
            params={"import_id": str(import_id), "etl": etl, "namespace": namespace},
            lines=lines,
            timeout_s=MERGE_TIMEOUT_S,
        )
