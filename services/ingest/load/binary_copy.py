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
        self._columns, schema = _selected(tuple(columns))
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
        table = _arrow(rows.select(self._columns)).cast(self._schema)
        return b"".join(self._encoder.write_batch(batch) for batch in table.to_batches())

    def finish(self) -> bytes:
        """What was held back, and the trailer."""
        return bytes(self._encoder.finish())


@lru_cache(maxsize=64)
def _selected(columns: tuple[tuple[str, ColumnType], ...]) -> tuple[list[pl.Expr], pa.Schema]:
    """The columns as they are sent, and Arrow's schema of them."""
    sent = [
        _counted_from_2000(name) if kind.name in TIMESTAMP_TYPES else pl.col(name)
        for name, kind in columns
    ]
    empty = pl.DataFrame(schema={name: dtype_of(kind) for name, kind in columns})
    return sent, _schema(empty.select(sent))


def _counted_from_2000(name: str) -> pl.Expr:
    """A column of timestamps as PostgreSQL counts them; the infinities wrap around on purpose."""
    return pl.col(name).cast(pl.Int64()) - POSTGRESQL_EPOCH_US


def _arrow(rows: pl.DataFrame) -> pa.Table:
    return rows.to_arrow(compat_level=pl.CompatLevel.oldest()).combine_chunks()


def _schema(rows: pl.DataFrame) -> pa.Schema:
    """Arrow's schema of the columns; PostgreSQL's times have microseconds, polars' nanoseconds."""
    fields = [
        pa.field(field.name, pa.time64("us") if pa.types.is_time64(field.type) else field.type)
        for field in _arrow(rows).schema
    ]
    return pa.schema(fields)
