"""What the server sends: replies to the negotiation, describes, rows, errors."""

from collections.abc import Iterable, Sequence

from tests.support.oracle.database import Column, OracleError, Row
from tests.support.oracle.login import Pair
from tests.support.oracle.primitives import byte_string, sb, two_lengths, u16, ub
from tests.support.oracle.types import OracleType, encoded

NO_DATA_FOUND = 1403
UTF8, UTF16 = 873, 2000
IS_JSON = 0x100
IN_TRANSACTION = 0x2
"""In the call status; without it the driver sends no rollback."""
DONE = b"\x09" + ub(0) + ub(0)


def protocol(field_version: int) -> bytes:
    """The reply to the protocol request, with our capabilities."""
    compile_caps = bytearray(55)
    compile_caps[7] = field_version
    runtime_caps = bytearray(13)
    runtime_caps[6] = 4
    return (
        b"\x01\x06\x00Test server for tabularium\x00"
        + UTF8.to_bytes(2, "little")
        + b"\x00"
        + bytes(2)
        + u16(11)
        + bytes(9)
        + u16(UTF16)
        + byte_string(bytes(compile_caps))
        + byte_string(bytes(runtime_caps))
    )


def data_types() -> bytes:
    return b"\x02\x00\x00"


def pairs(given: Sequence[Pair]) -> bytes:
    """The reply to one phase of the log-in."""
    body = b"".join(
        two_lengths(pair.key.encode()) + two_lengths(pair.value.encode()) + ub(pair.flags)
        for pair in given
    )
    return b"\x08" + ub(len(given)) + body + DONE


def describe(columns: Sequence[Column], field_version: int) -> bytes:
    """The columns of a query."""
    body = b"".join(_column(column, at, field_version) for at, column in enumerate(columns, 1))
    lead = b"\x10" + byte_string(None) + ub(0) + ub(len(columns)) + (b"\0" if columns else b"")
    return lead + body + ub(0) * 6


def _column(column: Column, position: int, field_version: int) -> bytes:
    type_, name = column.type, column.name.encode()
    charset = {0: 0, 1: UTF8, 2: UTF16}[type_.form]
    parts = [
        bytes([type_.number, 0, type_.precision & 0xFF, type_.scale & 0xFF]),
        ub(type_.size) + ub(0) * 4,
        ub(charset) + bytes([type_.form]) + ub(type_.length_chars),
        ub(0) if field_version >= 8 else b"",
        bytes([int(column.nullable), len(name)]),
        two_lengths(name) + two_lengths(b"") * 2,
        ub(position) + ub(IS_JSON if type_.is_json else 0),
        two_lengths(b"") * 2 if field_version >= 17 else b"",
        ub(0) if field_version >= 20 else b"",
        ub(0) + bytes(2) if field_version >= 24 else b"",
    ]
    return b"".join(parts)


def row_header() -> bytes:
    return b"\x06\x00" + ub(0) * 6


def rows(columns: Sequence[Column], given: Iterable[Row]) -> bytes:
    """Rows with their header."""
    types = [column.type for column in columns]
    return row_header() + b"".join(
        row if isinstance(row, bytes) else encoded_row(types, row) for row in given
    )


def encoded_row(types: Sequence[OracleType], row: Row) -> bytes:
    """One row; a table may hold such bytes in place of a row, where encoding would cost time."""
    return b"\x07" + b"".join(map(encoded, types, row))


def outcome(
    field_version: int,
    *,
    cursor: int = 0,
    row_count: int = 0,
    error: OracleError | None = None,
    finished: bool = False,
    in_transaction: bool = False,
) -> bytes:
    """The error message that ends an answer: success, more to come, finished, or an error."""
    number = error.number if error else NO_DATA_FOUND if finished else 0
    text = str(error) if error else "ORA-01403: no data found"
    parts = [
        b"\x04"
        + ub(IN_TRANSACTION if in_transaction else 0)
        + ub(0) * 5
        + ub(cursor)
        + sb(0)
        + bytes(6),
        ub(0) * 2 + bytes(1) + ub(0) * 2,
        ub(0) + bytes(2) + ub(0) * 2 + two_lengths(b""),
        ub(0) * 3 + ub(number) + ub(row_count),
        ub(0) * 2 if field_version >= 14 else b"",
        byte_string(text.encode()) if number else b"",
    ]
    return b"".join(parts)
