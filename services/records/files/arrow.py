"""CSV rows as Arrow tables and as an Arrow IPC file, a batch per block of rows.

Columns: integers as int16/32/64, NUMERIC(p,s) as decimal(p,s), bare NUMERIC as string (its digits
have no bound), REAL and DOUBLE as floats, BOOLEAN, DATE as date32, TIME as time64[us], TIMESTAMP as
timestamp[us], TIMESTAMPTZ as timestamp[us, UTC], BYTEA as binary, everything else as string. A
timestamp of `infinity` or `-infinity`, which Arrow lacks, is the greatest or the least one.
"""

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

import polars as pl
import pyarrow as pa

from services.records.domain import Column
from shared.values.types import TypeName

BLOCK_BYTES = 4 * 1024 * 1024

INFINITIES_US = {"infinity": (1 << 63) - 1, "-infinity": -(1 << 63)}


def _timestamp(text: pl.Expr, written: str, *, zone: str | None = None) -> pl.Expr:
    finite = pl.when(~text.is_in(list(INFINITIES_US))).then(text)
    instant = finite.str.to_datetime(written, time_unit="us", time_zone=zone)
    infinite = text.replace_strict(INFINITIES_US, default=None, return_dtype=pl.Int64())
    return pl.coalesce(instant, infinite.cast(pl.Datetime("us", zone)))


READERS: Mapping[TypeName, Callable[[pl.Expr], pl.Expr]] = {
    TypeName.SMALLINT: lambda text: text.cast(pl.Int16()),
    TypeName.INTEGER: lambda text: text.cast(pl.Int32()),
    TypeName.BIGINT: lambda text: text.cast(pl.Int64()),
    TypeName.REAL: lambda text: text.str.replace("Infinity", "inf").cast(pl.Float32()),
    TypeName.DOUBLE: lambda text: text.str.replace("Infinity", "inf").cast(pl.Float64()),
    TypeName.BOOLEAN: lambda text: text == "t",
    TypeName.DATE: lambda text: text.str.to_date("%Y-%m-%d"),
    TypeName.TIME: lambda text: text.str.to_time("%H:%M:%S%.f"),
    TypeName.TIMESTAMP: lambda text: _timestamp(text, "%Y-%m-%d %H:%M:%S%.f"),
    TypeName.TIMESTAMPTZ: lambda text: _timestamp(text, "%Y-%m-%d %H:%M:%S%.f%#z", zone="UTC"),
    TypeName.BYTEA: lambda text: text.str.slice(2).str.decode("hex"),
}
"""How the text that COPY writes is read; types that are not here stay text."""


async def arrow_file(rows: AsyncIterator[bytes], columns: Sequence[Column]) -> AsyncIterator[bytes]:
    """An Arrow IPC file out of CSV rows without a header, as COPY writes them."""
    sink = Sink()
    writer: pa.RecordBatchFileWriter | None = None
    async for block in blocks(rows):
        table = await asyncio.to_thread(arrow_of, block, columns)
        if writer is None:
            writer = pa.ipc.new_file(pa.PythonFile(sink, mode="w"), table.schema)
        await asyncio.to_thread(writer.write_table, table)
        yield sink.taken()
    if writer is None:
        writer = pa.ipc.new_file(pa.PythonFile(sink, mode="w"), arrow_of(b"", columns).schema)
    await asyncio.to_thread(writer.close)
    yield sink.taken()


async def blocks(rows: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Blocks of about 4 MiB that end where a row ends: after a line break outside of quotes."""
    waiting = bytearray()
    async for piece in rows:
        waiting += piece
        if len(waiting) >= BLOCK_BYTES and (end := last_row_end(waiting)):
            yield bytes(waiting[:end])
            del waiting[:end]
    if waiting:
        yield bytes(waiting)


def last_row_end(rows: bytes | bytearray) -> int:
    """Where the last whole row ends; 0 when none does. `rows` begins at a row's beginning."""
    quotes = rows.count(b'"')
    end = len(rows)
    while True:
        start = rows.rfind(b"\n", 0, end)
        if start < 0:
            return 0
        quotes -= rows.count(b'"', start + 1, end)
        if quotes % 2 == 0:
            return start + 1
        end = start


def arrow_of(block: bytes, columns: Sequence[Column]) -> pa.Table:
    """CSV rows as an Arrow table with the columns' types."""
    typed = texts_of(block, columns).select(_typed(column) for column in columns)
    return typed.to_arrow(compat_level=pl.CompatLevel.oldest())


def texts_of(block: bytes, columns: Sequence[Column]) -> pl.DataFrame:
    """CSV rows as a frame of the texts that COPY wrote."""
    schema = dict.fromkeys([str(column.name) for column in columns], pl.String())
    if not block:
        return pl.DataFrame(schema=schema)
    return pl.read_csv(block, has_header=False, schema=schema, empty_string_is_null=True)


def _typed(column: Column) -> pl.Expr:
    text = pl.col(column.name)
    kind = column.type
    if kind.name is TypeName.NUMERIC and kind.precision is not None:
        return text.cast(pl.Decimal(kind.precision, kind.scale or 0))
    reader = READERS.get(kind.name)
    return text if reader is None else reader(text)


class Sink(io.RawIOBase):
    """A file that gives away what was written to it."""

    def __init__(self) -> None:
        super().__init__()
        self._written: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        """It is there to be written to."""
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Keep bytes until they are taken."""
        piece = bytes(data)
        self._written.append(piece)
        self._size += len(piece)
        return len(piece)

    def tell(self) -> int:
        """How much was ever written."""
        return self._size

    def taken(self) -> bytes:
        """Everything written since the last time."""
        piece = b"".join(self._written)
        self._written.clear()
        return piece
