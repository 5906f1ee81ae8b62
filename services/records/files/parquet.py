"""CSV rows as a Parquet file, one row group per block; memory is a few blocks."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from services.records.domain import Column
from services.records.files.arrow import Sink, arrow_of, blocks


async def parquet(rows: AsyncIterator[bytes], columns: Sequence[Column]) -> AsyncIterator[bytes]:
    """A Parquet file out of CSV rows without a header, as COPY writes them."""
    sink = Sink()
    writer: pq.ParquetWriter | None = None
    async for block in blocks(rows):
        table = await asyncio.to_thread(arrow_of, block, columns)
        if writer is None:
            writer = pq.ParquetWriter(pa.PythonFile(sink, mode="w"), table.schema)
        await asyncio.to_thread(writer.write_table, table)
        yield sink.taken()
    if writer is None:
        table = arrow_of(b"", columns)
        writer = pq.ParquetWriter(pa.PythonFile(sink, mode="w"), table.schema)
        writer.write_table(table)
    await asyncio.to_thread(writer.close)
    yield sink.taken()
