"""A Parquet or Arrow file as a source: its columns bring their types."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa

from services.ingest.domain.options import FileFormat, ImportOptions
from services.ingest.domain.outcome import FormatFound, RejectCode
from services.ingest.errors import DuplicateColumnError
from services.ingest.plan.columns import ColumnPlan
from services.ingest.plan.names import listed
from services.ingest.plan.source_columns import SourceColumn, Ways
from services.ingest.read.children import Reader, child_reading, said
from services.ingest.read.frame import CellFault, Frame
from services.ingest.read.head import Head
from services.ingest.read.pieces import byte_series
from services.ingest.read.source import StoredBytes, unpacked_file
from shared.values.types import ColumnType, TypeName

MODULE = "services.ingest.read.columnar"
WAYS = Ways(reports=True)
PARQUET_MARKS = (b"PAR1", b"PARE")
ARROW_FILE_MARK = b"ARROW1"
ARROW_STREAM_MARK = b"\xff\xff\xff\xff"
NOT_UTF8 = "the text is not UTF-8"


@dataclass(frozen=True, slots=True)
class Opening:
    """A process that has described a file and waits to be asked for its rows.

    `process` is suspended in the block that the process ends with: closed, it ends the process.
    """

    process: AsyncGenerator[Reader, None]
    reader: Reader
    about: dict[str, Any]

    @classmethod
    async def of(cls, stored: StoredBytes, head: Head) -> "Opening":
        """Start it; raises FileRefusedError."""
        process = _process(stored, head)
        try:
            reader = await anext(process)
            return cls(process, reader, said(await anext(reader)))
        except BaseException:
            await process.aclose()
            raise


async def _process(stored: StoredBytes, head: Head) -> AsyncGenerator[Reader, None]:
    async with child_reading(MODULE, unpacked_file(stored, head), {}, head.limits) as reader:
        yield reader


@dataclass(frozen=True, slots=True)
class ColumnarFile:
    """A file of typed columns; `rows` is None where it does not say how many it has."""

    stored: StoredBytes
    head: Head
    format: FormatFound
    columns: tuple[SourceColumn, ...]
    rows: int | None
    _unread: list[Opening]
    """The process that described the file, for the first reading; another starts its own."""
    ways: Ways = WAYS

    @property
    def size_bytes(self) -> int:
        """The size of the file."""
        return self.stored.size_bytes

    async def frames(self, plan: ColumnPlan) -> AsyncIterator[Frame]:
        """The rows, batch by batch; `lines` count them from 1."""
        types = plan.types()
        wanted = {name: _wanted(types.get(name)) for name in plan.names}
        before = 0
        if self._unread:
            opening = self._unread.pop()
        else:
            opening = await Opening.of(self.stored, self.head)
        async with aclosing(opening.process):
            await opening.reader.ask({"wanted": wanted})
            async for message in opening.reader:
                about = said(message)
                batch = await anext(opening.reader)
                yield await asyncio.to_thread(self._frame, batch, about, plan, before)
                before += about["rows"]

    async def release(self) -> None:
        """End the process that has opened the file, where no reading took it."""
        while self._unread:
            await self._unread.pop().process.aclose()

    def _frame(
        self, batch: bytearray, about: dict[str, Any], plan: ColumnPlan, before: int
    ) -> Frame:
        table = pa.ipc.open_stream(batch).read_all()
        # By their places: polars gives a column whose name is empty one of its own.
        cells = pl.from_arrow(table.rename_columns([str(at) for at in range(table.num_columns)]))
        assert isinstance(cells, pl.DataFrame)
        cells.columns = table.column_names
        cells = cells.with_columns(
            pl.col(name).dt.replace_time_zone(None)
            for name, dtype in cells.schema.items()
            if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None
        )
        height = int(about["rows"])
        share = 1.0 if not self.rows else min(1.0, (before + height) / self.rows)
        return Frame(
            cells=cells.select(plan.names),
            lines=pl.int_range(before + 1, before + 1 + height, dtype=pl.Int64, eager=True),
            faults=tuple(
                CellFault(row, name, RejectCode.BAD_ENCODING, NOT_UTF8)
                for name, rows in about["undecodable"].items()
                for row in rows
            ),
            may_hold_nul=_may_hold_nul(table),
            bytes_read=int(share * self.size_bytes),
        )


def _may_hold_nul(table: pa.Table) -> bool:
    """Whether the texts hold a zero; bytes that belong to no row count too."""
    texts = (column for column in table.columns if pa.types.is_string(column.type))
    buffers = (chunk.buffers()[2] for column in texts for chunk in column.chunks)
    return any(byte_series(buffer).min() == 0 for buffer in buffers if buffer is not None)


def _wanted(kind: ColumnType | None) -> str:
    """How the child names the type that a column is wanted in; text for what goes nowhere."""
    return TypeName.TEXT.value if kind is None else kind.name.value


class ColumnarFormat:
    """Parquet, or Arrow's own format as a file or stream."""

    def __init__(self, name: FileFormat) -> None:
        self._name = name
        self.names = frozenset({name})

    def recognises(self, head: Head) -> bool:
        """By its first bytes."""
        if self._name is FileFormat.PARQUET:
            return head.data.startswith(PARQUET_MARKS) and b"\0" in head.data[:4_096]
        is_stream = head.data.startswith(ARROW_STREAM_MARK)
        return head.data.startswith(ARROW_FILE_MARK) or is_stream

    async def opened(self, stored: StoredBytes, head: Head, options: ImportOptions) -> ColumnarFile:
        """By its schema; raises FileRefusedError, DuplicateColumnError."""
        del options
        opening = await Opening.of(stored, head)
        try:
            _refuse_repeated([column["name"] for column in opening.about["columns"]])
        except DuplicateColumnError:
            await opening.process.aclose()
            raise
        return ColumnarFile(
            stored=stored,
            head=head,
            format=head.format_found(self._name),
            columns=tuple(_column(column) for column in opening.about["columns"]),
            rows=opening.about["rows"],
            _unread=[opening],
        )


def _refuse_repeated(names: Sequence[str]) -> None:
    """Raise DuplicateColumnError for a name that several columns have: they are read by name."""
    repeated = sorted(name for name, times in Counter(names).items() if times > 1)
    if repeated:
        raise DuplicateColumnError.of_columns(
            f"the file has several columns named {listed(repeated)}, which cannot be told apart:"
            " write it again with another name for each",
            repeated,
            "stands more than once in the file",
        )


def _column(column: dict[str, Any]) -> SourceColumn:
    return SourceColumn(
        name=column["name"],
        type=ColumnType(
            name=TypeName(column["type"]), precision=column["precision"], scale=column["scale"]
        ),
        spelled=column["spelled"],
        nullable=column["nullable"],
    )


PARQUET = ColumnarFormat(FileFormat.PARQUET)
ARROW = ColumnarFormat(FileFormat.ARROW)
