"""Judged frames as binary COPY streams, with the system columns added."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import polars as pl

from services.ingest.domain import ImportId
from services.ingest.pipeline.cells import Judged
from services.ingest.pipeline.encode import RowEncoder
from services.ingest.pipeline.header import ID_TYPE, ColumnPlan
from services.ingest.pipeline.staging import LINE_COLUMN
from services.ingest.pipeline.target import IdBlocks
from shared.contracts.records import ID_COLUMN, IMPORT_COLUMN, ColumnType


class TableRows:
    """Rows for the table itself: one COPY with ids, and another without once they run out.

    `while await rows.begin(): copy(rows.columns, rows.data())`.
    """

    def __init__(
        self,
        judged: AsyncIterator[Judged],
        *,
        ids: IdBlocks,
        plan: ColumnPlan,
        import_id: ImportId,
    ) -> None:
        self._judged = judged
        self._ids = ids
        self._plan = plan
        self._import_id = import_id
        self._waiting: Judged | None = None
        self._first_id: int | None = None
        self._with_ids = False
        self._encoder: RowEncoder | None = None
        self.columns: Sequence[str] = ()
        self.highest_id = 0
        """The greatest id that the file itself brought."""

    async def begin(self) -> bool:
        """Whether there are more rows; fixes the columns of the next COPY."""
        if self._waiting is None:
            await self._advance()
        if self._waiting is None:
            return False
        self._with_ids = self._first_id is not None
        system = [ID_COLUMN, IMPORT_COLUMN] if self._with_ids else [IMPORT_COLUMN]
        typed: list[tuple[str, ColumnType]] = [(name, ID_TYPE) for name in system]
        typed += [(column.target, column.type) for column in self._plan.columns]
        self._encoder = RowEncoder(typed)
        self.columns = [name for name, _ in typed]
        return True

    async def data(self) -> AsyncIterator[bytes]:
        """The binary COPY of all frames up to the end, or to where the ids run out."""
        assert self._encoder is not None
        yield self._encoder.header()
        while self._waiting is not None and self._with_ids == (self._first_id is not None):
            yield await asyncio.to_thread(
                self._encode, self._encoder, self._waiting.good, self._first_id
            )
            await self._advance()
        yield self._encoder.finish()

    async def _advance(self) -> None:
        self._waiting = await anext(self._judged, None)
        if self._waiting is None:
            return
        good = self._waiting.good
        if self._plan.brings_ids:
            self.highest_id = max(self.highest_id, int(good[ID_COLUMN].max() or 0))  # type: ignore[arg-type]
        else:
            self._first_id = await self._ids.take(good.height)

    def _encode(self, encoder: RowEncoder, good: pl.DataFrame, first_id: int | None) -> bytes:
        system = [pl.lit(self._import_id, dtype=pl.Int64).alias(IMPORT_COLUMN)]
        if first_id is not None:
            ids = pl.int_range(first_id, first_id + good.height, dtype=pl.Int64)
            system.append(ids.alias(ID_COLUMN))
        return encoder.encode(good.with_columns(system))


async def staged_rows(
    judged: AsyncIterator[Judged], columns: Sequence[tuple[str, ColumnType]]
) -> AsyncIterator[bytes]:
    """Rows for a staging table: the line, then these of the table's columns."""
    encoder = RowEncoder([(LINE_COLUMN, ID_TYPE), *columns])
    names = [name for name, _ in columns]

    def encode(item: Judged) -> bytes:
        return encoder.encode(item.good.select(names).with_columns(item.lines.alias(LINE_COLUMN)))

    yield encoder.header()
    async for item in judged:
        yield await asyncio.to_thread(encode, item)
    yield encoder.finish()
