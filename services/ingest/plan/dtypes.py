"""How each column type stands in a frame, between the casts and the encoder."""

import polars as pl

from shared.values.types import ColumnType, TypeName

POSTGRESQL_EPOCH_US = 946_684_800_000_000
"""Where PostgreSQL begins to count, 2000-01-01, in microseconds since 1970."""
EARLIEST_US = -(1 << 63) + POSTGRESQL_EPOCH_US
"""`-infinity` in a column of timestamps: the least number from PostgreSQL's epoch on."""
LATEST_US = EARLIEST_US - 1
"""`infinity`: the greatest number from PostgreSQL's epoch on, in the arithmetic of 64 bits."""

_DTYPES: dict[TypeName, pl.DataType] = {
    TypeName.SMALLINT: pl.Int16(),
    TypeName.INTEGER: pl.Int32(),
    TypeName.BIGINT: pl.Int64(),
    TypeName.REAL: pl.Float32(),
    TypeName.DOUBLE: pl.Float64(),
    TypeName.BOOLEAN: pl.Boolean(),
    TypeName.DATE: pl.Date(),
    TypeName.TIME: pl.Time(),
    # Both without a zone: a TIMESTAMPTZ is its instant in UTC.
    TypeName.TIMESTAMP: pl.Datetime("us"),
    TypeName.TIMESTAMPTZ: pl.Datetime("us"),
    # PostgreSQL's own binary form: months, days and microseconds do not fit a Duration, nor the
    # digits of an unbounded NUMERIC a Decimal.
    TypeName.INTERVAL: pl.Binary(),
    TypeName.UUID: pl.Binary(),
    TypeName.BYTEA: pl.Binary(),
}


def dtype_of(column_type: ColumnType) -> pl.DataType:
    """The dtype of a judged column.

    NUMERIC without precision and INTERVAL are `Binary` in PostgreSQL's binary form, UUID is
    `Binary` of 16 bytes, JSON is `String` of JSON text.
    """
    if column_type.name is TypeName.NUMERIC:
        if column_type.precision is None:
            return pl.Binary()
        return pl.Decimal(column_type.precision, column_type.scale or 0)
    return _DTYPES.get(column_type.name, pl.String())
