"""Typed frames become PostgreSQL's binary COPY format; the only file that knows pgpq."""

from collections.abc import Sequence
from functools import lru_cache

import polars as pl
import pyarrow as pa
from pgpq import ArrowToPostgresBinaryEncoder
from pgpq.encoders import LargeStringEncoderBuilder
from pgpq.schema import Jsonb

from services.ingest.plan.dtypes import POSTGRESQL_EPOCH_US, dtype_of
from shared.values.types import TIMESTAMP_TYPES, ColumnType, TypeName


class RowEncoder:
    """Encodes frames with these columns, in this order; CPU-bound, so use it in a thread."""

    def __init__(self, columns: Sequence[tuple[str, ColumnType]]) -> None:
        self._columns = tuple(columns)
        schema = _schema_of(self._columns)
        builders = {
            name: LargeStringEncoderBuilder.new_with_output(schema.field(name), Jsonb())
            if kind.name is TypeName.JSON
            else ArrowToPostgresBinaryEncoder.infer_encoder(schema.field(name))
            for name, kind in columns
        }
        self._schema = schema
        self._encoder = ArrowToPostgresBinaryEncoder.new_with_encoders(schema, builders)

    def header(self) -> bytes:
        """What comes before the first row."""
        return bytes(self._encoder.write_header())

    def encode(self, rows: pl.DataFrame) -> bytes:
        """The rows so far as they are ready; dtypes are those of `cells.dtype_of`.

        The encoder may hold some back until more come, or until `finish`.
        """
        # A series by itself: a query over all of them would start threads for a few rows, too.
        sent = pl.DataFrame([_sent(rows[name], kind) for name, kind in self._columns])
        table = _arrow(sent).cast(self._schema)
        return b"".join(self._encoder.write_batch(batch) for batch in table.to_batches())

    def finish(self) -> bytes:
        """What was held back, and the trailer."""
        return bytes(self._encoder.finish())


@lru_cache(maxsize=64)
def _schema_of(columns: tuple[tuple[str, ColumnType], ...]) -> pa.Schema:
    """Arrow's schema of the columns as they are sent."""
    empty = [pl.Series(name, dtype=dtype_of(kind)) for name, kind in columns]
    pairs = zip(empty, columns, strict=True)
    return _schema(pl.DataFrame([_sent(series, kind) for series, (_, kind) in pairs]))


def _sent(series: pl.Series, kind: ColumnType) -> pl.Series:
    """A column as it is sent: of timestamps, microseconds from PostgreSQL's epoch on."""
    if kind.name not in TIMESTAMP_TYPES:
        return series
    return series.cast(pl.Int64) - POSTGRESQL_EPOCH_US  # the infinities wrap around on purpose


def _arrow(rows: pl.DataFrame) -> pa.Table:
    return rows.to_arrow(compat_level=pl.CompatLevel.oldest()).combine_chunks()


def _schema(rows: pl.DataFrame) -> pa.Schema:
    """Arrow's schema of the columns; PostgreSQL's times have microseconds, polars' nanoseconds."""
    fields = [
        pa.field(field.name, pa.time64("us") if pa.types.is_time64(field.type) else field.type)
        for field in _arrow(rows).schema
    ]
    return pa.schema(fields)
