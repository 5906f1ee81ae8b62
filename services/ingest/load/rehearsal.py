"""The judged rows of a dry run, kept so that its commit loads them and nothing else.

They are one Arrow IPC stream with LZ4 frames: the line of each row, which columns it leaves out,
then the table's columns. Its schema holds what the rows are bound to: the table's contract as it
was and the digest of the file.
"""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import polars as pl
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from services.ingest.judge.judging import FAULT_SCHEMA, BadRows, Judged
from services.ingest.load.outside import RowStore
from services.ingest.load.staging import ABSENT_COLUMN, LINE_COLUMN
from services.ingest.plan.columns import PlannedColumn
from services.ingest.plan.dtypes import dtype_of
from services.ingest.read.frame import Frame
from shared.contracts.records import NewColumn, TableContract

BOUND = b"tabularium"
"""The key of the schema's metadata."""


class Bound(BaseModel):
    """What the rows of a rehearsal are bound to."""

    model_config = ConfigDict(frozen=True)

    columns: tuple[PlannedColumn, ...]
    contract: TableContract | None
    """The table's; None where the commit makes the table."""
    new_columns: tuple[NewColumn, ...] = ()
    """Those of the table that the commit makes."""
    content_sha256: str | None = None
    """Of the file; None where the rows are those of a database."""

    @property
    def kept(self) -> pl.Schema:
        """Of the frames that are kept."""
        return pl.Schema(
            {
                LINE_COLUMN: pl.Int64(),
                ABSENT_COLUMN: pl.String(),
                **{column.target: dtype_of(column.type) for column in self.columns},
            }
        )


@dataclass
class RehearsalKeeper:
    """Writes the good rows of the reading that counts, frame by frame."""

    store: RowStore
    bound: Bound
    _pieces: "_Pieces" = field(init=False)
    _writer: pa.RecordBatchStreamWriter = field(init=False)

    def __post_init__(self) -> None:
        self._begin()

    async def restart(self) -> None:
        """Forget all: the source is read again."""
        await self.store.restart()
        self._begin()

    async def add(self, judged: Judged) -> None:
        """Keep the good rows of a frame."""
        if judged.good.height:
            await asyncio.to_thread(self._encode, judged)
            await self.store.write(self._pieces.taken())

    async def finish(self) -> None:
        """Write what is left; nothing may be added behind it."""
        self._writer.close()
        await self.store.write(self._pieces.taken())

    def _begin(self) -> None:
        schema = _arrow(self.bound.kept.to_frame()).schema
        schema = schema.with_metadata({BOUND: self.bound.model_dump_json().encode()})
        self._pieces = _Pieces()
        self._writer = pa.ipc.new_stream(
            self._pieces, schema, options=pa.ipc.IpcWriteOptions(compression="lz4")
        )

    def _encode(self, judged: Judged) -> None:
        nothing = pl.lit(None, dtype=pl.String)
        absent = nothing if judged.absent is None else judged.absent
        rows = judged.good.with_columns(
            judged.lines.alias(LINE_COLUMN), absent.alias(ABSENT_COLUMN)
        )
        self._writer.write_table(_arrow(rows.select(self.bound.kept.names())))


class _Pieces:
    """A file for Arrow's writer, emptied after each frame."""

    closed = False

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> int:
        self._waiting.append(bytes(data))
        self._size += len(data)
        return len(data)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        """Nothing is held back."""

    def taken(self) -> bytes:
        pieces, self._waiting = self._waiting, []
        return b"".join(pieces)


@dataclass(frozen=True, slots=True)
class KeptRows:
    """The judged rows of a rehearsal, in a file on this machine."""

    path: Path
    bound: Bound

    @classmethod
    async def opened(cls, path: Path) -> Self:
        """The rows in this file, with what they are bound to."""
        metadata = await asyncio.to_thread(_metadata, path)
        return cls(path, Bound.model_validate_json(metadata))

    async def judged(self) -> AsyncGenerator[tuple[Frame, Judged], None]:
        """Every row, as it was judged: a frame whose cells are the table's, and no reasons."""
        with closing(_batches(self.path)) as batches:
            while (batch := await asyncio.to_thread(next, batches, None)) is not None:
                yield self._frame(*batch)

    def _frame(self, rows: pl.DataFrame, bytes_read: int) -> tuple[Frame, Judged]:
        targets = [column.target for column in self.bound.columns]
        good, lines, absent = rows.select(targets), rows[LINE_COLUMN], rows[ABSENT_COLUMN]
        cells = good.rename({column.target: column.source for column in self.bound.columns})
        nothing = BadRows(cells.clear(), lines.clear(), FAULT_SCHEMA.to_frame())
        places = pl.int_range(rows.height, eager=True)
        leaves_out = None if absent.null_count() == rows.height else absent
        frame = Frame(cells, lines, bytes_read=bytes_read)
        return frame, Judged(good, lines, places, nothing, leaves_out)


def _metadata(path: Path) -> bytes:
    with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as stream:
        return bytes(stream.schema.metadata[BOUND])


def _batches(path: Path) -> Generator[tuple[pl.DataFrame, int], None, None]:
    with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as stream:
        for batch in stream:
            rows = pl.from_arrow(batch)
            assert isinstance(rows, pl.DataFrame)
            yield rows, file.tell()


def _arrow(rows: pl.DataFrame) -> pa.Table:
    return rows.to_arrow(compat_level=pl.CompatLevel.oldest())
