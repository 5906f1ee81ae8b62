"""Judged frames as binary COPY streams, with the system columns added."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import polars as pl

from services.ingest.domain.run import ImportId
from services.ingest.judge.judging import Judged
from services.ingest.load.binary_copy import RowEncoder
from services.ingest.load.ids import IdBlocks
from services.ingest.load.staging import ABSENT_COLUMN, LINE_COLUMN
from services.ingest.plan.columns import ID_TYPE, ColumnPlan
from shared.contracts.records import ID_COLUMN, IMPORT_COLUMN
from shared.process.threads import beside_loop
from shared.values.types import ColumnType, TypeName

SENT_BYTES = 512 * 1024
"""A COPY is fed in pieces of this size: what waits to be sent stays small."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A piece of one COPY's data; `copy` counts the COPYs, and `columns` are its columns."""

    copy: int
    columns: tuple[str, ...]
    data: bytes


@dataclass
class TableRows:
    """Rows for the table itself, encoded with their system columns.

    One COPY with ids, and another without once they run out: a COPY has its columns for good.
    """

    ids: IdBlocks
    plan: ColumnPlan
    import_id: ImportId
    highest_id: int = 0
    """The greatest id that the file itself brought."""

    async def encoded(self, judged: AsyncIterator[Judged]) -> AsyncIterator[Encoded]:
        """The data of all COPYs in order; run it ahead, so that PostgreSQL never waits for it."""
        copy, with_ids, encoder = 0, False, None
        columns: tuple[str, ...] = ()
        async for item in judged:
            first_id = await self._first_id(item.good)
            if encoder is None or with_ids != (first_id is not None):
                if encoder is not None:
                    yield Encoded(copy, columns, encoder.finish())
                copy, with_ids = copy + 1, first_id is not None
                typed = self._typed_columns(with_ids=with_ids)
                columns, encoder = tuple(name for name, _ in typed), RowEncoder(typed)
                yield Encoded(copy, columns, encoder.header())
            size_bytes = item.good.estimated_size()
            data = await beside_loop(size_bytes, self._encode, encoder, item.good, first_id)
            del item  # else its rows would stay in memory while their data waits
            yield Encoded(copy, columns, data)
            del data
        if encoder is not None:
            yield Encoded(copy, columns, encoder.finish())

    async def _first_id(self, good: pl.DataFrame) -> int | None:
        if not self.plan.brings_ids:
            return await self.ids.take(good.height)
        highest = good[ID_COLUMN].max()
        assert isinstance(highest, int)
        self.highest_id = max(self.highest_id, highest)
        return None

    def _typed_columns(self, *, with_ids: bool) -> list[tuple[str, ColumnType]]:
        system = [ID_COLUMN, IMPORT_COLUMN] if with_ids else [IMPORT_COLUMN]
        typed: list[tuple[str, ColumnType]] = [(name, ID_TYPE) for name in system]
        return typed + [(column.target, column.type) for column in self.plan.columns]

    def _encode(self, encoder: RowEncoder, good: pl.DataFrame, first_id: int | None) -> bytes:
        own = pl.Series(IMPORT_COLUMN, [self.import_id], dtype=pl.Int64)
        system = [own.new_from_index(0, good.height)]
        if first_id is not None:
            end = first_id + good.height
            ids = pl.int_range(first_id, end, dtype=pl.Int64, eager=True)
            system.append(ids.alias(ID_COLUMN))
        return encoder.encode(good.hstack(system))


class Copies:
    """Encoded pieces as one COPY after the other.

    `while await copies.begin(): copy(copies.columns, copies.data())`.
    """

    def __init__(self, pieces: AsyncIterator[Encoded]) -> None:
        self._pieces = pieces
        self._waiting: Encoded | None = None
        self.columns: tuple[str, ...] = ()

    async def begin(self) -> bool:
        """Whether there is another COPY; then `columns` are its columns."""
        if self._waiting is None:
            self._waiting = await anext(self._pieces, None)
        if self._waiting is None:
            return False
        self.columns = self._waiting.columns
        return True

    async def data(self) -> AsyncIterator[memoryview]:
        """This COPY's data."""
        assert self._waiting is not None
        copy = self._waiting.copy
        while self._waiting is not None and self._waiting.copy == copy:
            data = memoryview(self._waiting.data)
            for start in range(0, len(data), SENT_BYTES):
                yield data[start : start + SENT_BYTES]
            self._waiting = await anext(self._pieces, None)


async def staged_rows(
    judged: AsyncIterator[Judged], columns: Sequence[tuple[str, ColumnType]]
) -> AsyncIterator[bytes]:
    """Rows for a staging table: the line, what is absent, then these of the table's columns."""
    text = ColumnType(name=TypeName.TEXT)
    encoder = RowEncoder([(LINE_COLUMN, ID_TYPE), (ABSENT_COLUMN, text), *columns])
    names = [name for name, _ in columns]
    nothing = pl.lit(None, dtype=pl.String)

    def encode(item: Judged) -> bytes:
        absent = nothing if item.absent is None else item.absent
        rows = item.good.select(names)
        return encoder.encode(
            rows.with_columns(item.lines.alias(LINE_COLUMN), absent.alias(ABSENT_COLUMN))
        )

    yield encoder.header()
    async for item in judged:
        yield await asyncio.to_thread(encode, item)
    yield encoder.finish()
