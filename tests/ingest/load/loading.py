"""Loads of small files into tables of a real PostgreSQL, with the outside written by hand."""

import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg

from services.ingest.domain.options import ImportOptions
from services.ingest.domain.outcome import Outcome, Progress, Reject
from services.ingest.domain.run import ImportId
from services.ingest.load.load import load_file
from services.ingest.load.outside import Connections, Outside
from services.ingest.read.limits import Limits
from shared.contracts.records import (
    ColumnContract,
    ColumnName,
    NewColumn,
    TableContract,
    TableName,
    TableOid,
    UniqueKey,
)
from shared.store.engine import RawConnection
from shared.values.names import formatted, of_formatted
from shared.values.types import ColumnType, TypeName
from tests.support.databases import Database

IMPORT_ID = ImportId(7)
COLUMNS = """
SELECT a.attname, a.attnum, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull, a.atthasdef
FROM pg_attribute a
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
  AND a.attname NOT IN ('id', '_import', '_version')
ORDER BY a.attnum"""

KEYS = """
SELECT c.conname, array_agg(a.attname::text ORDER BY k.position) AS columns
FROM pg_constraint c
CROSS JOIN LATERAL unnest(c.conkey) WITH ORDINALITY AS k (attnum, position)
JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum
WHERE c.conrelid = $1 AND c.contype IN ('u', 'p') GROUP BY c.oid, c.conname ORDER BY c.conname"""


def a_type(spelled: str) -> ColumnType:
    """`NUMERIC(10,2)`, `VARCHAR(3)`, `TEXT` …"""
    name, _, inside = spelled.rstrip(")").partition("(")
    numbers = [int(number) for number in inside.split(",")] if inside else []
    kind = TypeName(name)
    if kind is TypeName.NUMERIC and numbers:
        return ColumnType(name=kind, precision=numbers[0], scale=(*numbers, 0)[1])
    return ColumnType(name=kind, length=numbers[0] if numbers else None)


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    nullable: bool = True
    unique: bool = False
    default: str | None = None

    @property
    def ddl(self) -> str:
        parts = [f'"{self.name}"', formatted(a_type(self.type))]
        parts += ["NOT NULL"] * (not self.nullable) + ["UNIQUE"] * self.unique
        parts += [f"DEFAULT {self.default}"] * (self.default is not None)
        return " ".join(parts)


def columns(**types: str) -> list[Column]:
    """`name="TEXT UNIQUE NOT NULL"` and the like."""
    return [
        Column(
            name,
            words.replace(" UNIQUE", "").replace(" NOT NULL", ""),
            nullable="NOT NULL" not in words,
            unique="UNIQUE" in words,
        )
        for name, words in types.items()
    ]


@dataclass
class StoredBytes:
    """An upload, in chunks of a chosen size."""

    data: bytes
    chunk_bytes: int = 65_536

    @property
    def size_bytes(self) -> int:
        return len(self.data)

    async def chunks(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self.data), self.chunk_bytes):
            yield self.data[at : at + self.chunk_bytes]


@dataclass
class Rejects:
    """A reject store in memory."""

    written: bytes = b""
    kept: list[Reject] = field(default_factory=list)
    restarts: int = 0

    async def write(self, data: bytes) -> None:
        self.written += data

    async def keep(self, rejects: Sequence[Reject]) -> None:
        self.kept += rejects

    async def restart(self) -> None:
        self.written, self.kept = b"", []
        self.restarts += 1

    @property
    def rows(self) -> list[dict[str, str]]:
        """The CSV as its readers see it."""
        return list(csv.DictReader(io.StringIO(self.written.decode(), newline="")))

    @property
    def reasons(self) -> list[tuple[int, str | None, str]]:
        return [(reject.line, reject.column, reject.code.value) for reject in self.kept]


@dataclass
class KeptRows:
    """A row store in memory."""

    written: bytes = b""

    async def write(self, data: bytes) -> None:
        self.written += data

    async def restart(self) -> None:
        self.written = b""


class NoTableWantedError(Exception):
    """`make_table` was called in a test that does not create one."""


@dataclass(repr=False)
class Loader:
    """Runs imports into one database as the role `ingest`."""

    pool: "asyncpg.Pool[asyncpg.Record]"
    owner: "asyncpg.Pool[asyncpg.Record]"
    rejects: Rejects = field(default_factory=Rejects)
    rehearsal: KeptRows = field(default_factory=KeptRows)
    progress: list[Progress] = field(default_factory=list)
    fenced: list[Outcome] = field(default_factory=list)
    backends: list[int] = field(default_factory=list)
    made: list[NewColumn] = field(default_factory=list)
    memories: dict[str, list[NewColumn]] = field(default_factory=dict)
    """What columns of made tables remember, by table."""
    chunk_bytes: int = 65_536
    at_fence: Callable[[Outcome], Awaitable[None]] | None = None

    async def make_table(self, table: str, *wanted: Column | list[Column]) -> None:
        flat = [c for item in wanted for c in (item if isinstance(item, list) else [item])]
        await self.owner.execute(
            f'CREATE TABLE data."{table}" (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,'
            " _import bigint, _version integer NOT NULL DEFAULT 1"
            f"{''.join(', ' + column.ddl for column in flat)})"
        )

    async def drop_tables(self) -> None:
        tables = await self.owner.fetchval(
            "SELECT string_agg(format('data.%I', tablename), ', ') FROM pg_tables"
            " WHERE schemaname = 'data'"
        )
        if tables is not None:
            await self.owner.execute(f"DROP TABLE {tables} CASCADE")

    async def contract(self, table: str) -> TableContract:
        async with self.owner.acquire() as connection:
            contract = await contract_of(connection, table)
        return with_memories(contract, self.memories.get(table, ()))

    async def load(
        self,
        table: str,
        data: bytes | str,
        *,
        options: ImportOptions | None = None,
        file_name: str = "file.csv",
        limits: Limits | None = None,
        outside: Outside | None = None,
    ) -> Outcome:
        stored = data.encode() if isinstance(data, str) else data
        options = options or ImportOptions()
        return await load_file(
            StoredBytes(stored, self.chunk_bytes),
            outside or self.outside(table),
            options,
            file_name=file_name,
            limits=limits,
        )

    def outside(self, table: str) -> "LoadedTable":
        return LoadedTable(self, table)

    async def rows(self, table: str, wanted: str = "*") -> list[tuple[Any, ...]]:
        found = await self.owner.fetch(f'SELECT {wanted} FROM data."{table}" ORDER BY id')
        return [tuple(row) for row in found]


@dataclass(frozen=True)
class LoadedTable(Outside):
    """The outside of a load into one of the loader's tables."""

    loader: Loader
    table: str
    import_id: ImportId = IMPORT_ID

    @property
    def submitter(self) -> str:
        return "ann@example.com"

    @property
    def former(self) -> None:
        """Nothing is kept; tests/ingest/undo undoes what a worker loaded."""

    @property
    def connections(self) -> Connections:
        pool: Connections = self.loader.pool
        return pool

    @property
    def rejects(self) -> Rejects:
        return self.loader.rejects

    @property
    def rows_of(self) -> ImportId:
        return self.import_id

    @property
    def content_sha256(self) -> str | None:
        return None

    @property
    def rehearsal(self) -> KeptRows:
        return self.loader.rehearsal

    async def contract(self) -> TableContract:
        return await self.loader.contract(self.table)

    async def make_table(self, columns: Sequence[NewColumn]) -> TableContract:
        self.loader.made = self.loader.memories[self.table] = list(columns)
        await self.loader.make_table(
            self.table, [Column(column.name, column.type.spelled()) for column in columns]
        )
        return await self.contract()

    async def add_columns(self, columns: Sequence[NewColumn]) -> TableContract:
        memories = self.loader.memories.setdefault(self.table, [])
        has = {str(column.name) for column in (await self.contract()).columns}
        for column in columns:
            if column.name not in has:
                ddl = Column(column.name, column.type.spelled()).ddl
                await self.loader.owner.execute(f'ALTER TABLE data."{self.table}" ADD COLUMN {ddl}')
                memories.append(column)
        return await self.contract()

    async def note_backend(self, pid: int, started_at: datetime) -> None:
        del started_at
        self.loader.backends.append(pid)

    def note_progress(self, progress: Progress) -> None:
        self.loader.progress.append(progress)

    async def fence(self, connection: RawConnection, outcome: Outcome) -> None:
        assert connection.is_in_transaction()
        self.loader.fenced.append(outcome)
        if self.loader.at_fence is not None:
            await self.loader.at_fence(outcome)


async def contract_of(connection: "asyncpg.Connection[asyncpg.Record]", name: str) -> TableContract:
    """What records says of a table in `data`; raises UndefinedTableError."""
    oid = await connection.fetchval(
        "SELECT to_regclass('data.' || quote_ident($1))::oid::bigint", name
    )
    if oid is None:
        raise asyncpg.UndefinedTableError(name)
    rows = await connection.fetch(COLUMNS, oid)
    keys = await connection.fetch(KEYS, oid)
    return TableContract(
        table=TableName(name),
        oid=TableOid(oid),
        version=1,
        columns=tuple(
            ColumnContract(
                name=ColumnName(row["attname"]),
                attnum=row["attnum"],
                type=known_type(row["type"]),
                nullable=not row["attnotnull"],
                has_default=row["atthasdef"],
            )
            for row in rows
        ),
        unique_keys=tuple(
            UniqueKey(constraint=key["conname"], columns=tuple(map(ColumnName, key["columns"])))
            for key in keys
        ),
    )


def with_memories(contract: TableContract, columns: Sequence[NewColumn]) -> TableContract:
    """The contract of a table that remembers the file it was made for."""
    made = {column.name: column for column in columns}
    remembering = (
        column.model_copy(update={"source": each.source, "null_values": each.null_values})
        if (each := made.get(column.name)) is not None
        else column
        for column in contract.columns
    )
    return contract.model_copy(update={"columns": tuple(remembering)})


def known_type(words: str) -> ColumnType:
    kind = of_formatted(words)
    assert kind is not None, words
    return kind


@asynccontextmanager
async def loader(database: Database) -> AsyncIterator[Loader]:
    owner = await asyncpg.create_pool(database.direct_url("records"), min_size=0, max_size=2)
    pool = await asyncpg.create_pool(database.url("ingest"), min_size=0, max_size=4)
    try:
        yield Loader(pool=pool, owner=owner)
    finally:
        await pool.close()
        await owner.close()
