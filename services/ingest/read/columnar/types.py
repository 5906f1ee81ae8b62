"""What an Arrow type is in a table; without `pyarrow.compute`, whose import takes its time."""

import pyarrow as pa

DECIMAL_DIGITS = 38


class ColumnUnreadableError(Exception):
    """A column of a type that no column of a table can hold."""


def described(field: pa.Field) -> tuple[str, int | None, int | None]:
    """A field's type for a new table: name, precision or length, scale."""
    kind = storage(field.type)
    if pa.types.is_decimal(kind):
        return _decimal(field)
    for holds, name in _TYPES:
        if holds(kind):
            return name, None, None
    if pa.types.is_uint64(kind):
        return "NUMERIC", 20, 0
    raise ColumnUnreadableError(f"column {field.name!r} is {field.type}, which no table can hold")


def _decimal(field: pa.Field) -> tuple[str, int | None, int | None]:
    kind = storage(field.type)
    scale = max(kind.scale, 0)
    precision = max(kind.precision - min(kind.scale, 0), scale)
    if precision > DECIMAL_DIGITS:
        raise ColumnUnreadableError(
            f"column {field.name!r} is {field.type}: a NUMERIC of a table has at most"
            f" {DECIMAL_DIGITS} digits"
        )
    return "NUMERIC", precision, scale


def storage(kind: pa.DataType) -> pa.DataType:
    """A type without its dictionary, run-ends, view or extension."""
    if is_uuid(kind):
        return pa.uuid()
    if isinstance(kind, pa.BaseExtensionType):
        return storage(kind.storage_type)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return storage(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return pa.binary()
    return kind


def is_uuid(kind: pa.DataType) -> bool:
    """Whether it is Arrow's extension for UUIDs."""
    return isinstance(kind, pa.BaseExtensionType) and bool(kind.extension_name == "arrow.uuid")


def _is_json(kind: pa.DataType) -> bool:
    return bool(pa.types.is_nested(kind)) and not pa.types.is_run_end_encoded(kind)


_TYPES = (
    (pa.types.is_boolean, "BOOLEAN"),
    (lambda kind: pa.types.is_int8(kind) or pa.types.is_uint8(kind), "SMALLINT"),
    (pa.types.is_int16, "SMALLINT"),
    (lambda kind: pa.types.is_int32(kind) or pa.types.is_uint16(kind), "INTEGER"),
    (lambda kind: pa.types.is_int64(kind) or pa.types.is_uint32(kind), "BIGINT"),
    (lambda kind: pa.types.is_float16(kind) or pa.types.is_float32(kind), "REAL"),
    (pa.types.is_float64, "DOUBLE PRECISION"),
    (pa.types.is_date, "DATE"),
    (pa.types.is_time, "TIME"),
    (lambda kind: pa.types.is_timestamp(kind) and kind.tz is None, "TIMESTAMP"),
    (pa.types.is_timestamp, "TIMESTAMPTZ"),
    (pa.types.is_duration, "INTERVAL"),
    (lambda kind: kind == pa.month_day_nano_interval(), "INTERVAL"),
    (lambda kind: pa.types.is_string(kind) or pa.types.is_null(kind), "TEXT"),
    (is_uuid, "UUID"),
    (lambda kind: pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind), "BYTEA"),
    (_is_json, "JSON"),
)
