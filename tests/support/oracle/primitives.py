"""Numbers and byte strings as TTC writes them, both ways.

*ub*: a length byte, then that many big-endian bytes. *sb*: the same, bit 0x80 of the length says
negative. *bytes*: a length byte up to 252 and the data, or FE and chunks; 0 or FF is NULL.
"""

import struct

MAX_SHORT = 252
CHUNKED = 0xFE
NULL = 0xFF
CHUNK_BYTES = 32767


class IncompleteError(Exception):
    """The message goes on in a packet that has not come yet."""


class Reader:
    """Reads primitives off the start of a message, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """Bytes that nobody has read."""
        return len(self._data) - self._at

    def raw(self, length: int) -> bytes:
        """Exactly `length` bytes; raises IncompleteError when they are not there yet."""
        if self.left < length:
            raise IncompleteError
        piece = self._data[self._at : self._at + length]
        self._at += length
        return piece

    def u8(self) -> int:
        return self.raw(1)[0]

    def u16(self) -> int:
        return int.from_bytes(self.raw(2), "big")

    def ub(self) -> int:
        return int.from_bytes(self.raw(self.u8() & 0x7F), "big")

    def bytes_(self) -> bytes | None:
        """A byte string, or None for NULL."""
        length = self.u8()
        if length in (0, NULL):
            return None
        if length != CHUNKED:
            return self.raw(length)
        pieces = []
        while chunk := self.ub():
            pieces.append(self.raw(chunk))
        return b"".join(pieces)

    def two_lengths(self) -> bytes:
        """*2len*: a ub length, then *bytes* when it is not zero."""
        return (self.bytes_() or b"") if self.ub() else b""

    def skip(self, shape: str) -> None:
        """Pass over fields: `b` a byte, `u` a ub, `2` a 2len."""
        for field in shape:
            if field == "b":
                self.u8()
            elif field == "u":
                self.ub()
            else:
                self.two_lengths()

    def skip_to(self, mark: bytes) -> None:
        """Go to where `mark` begins; raises IncompleteError when it is not there yet."""
        found = self._data.find(mark, self._at)
        if found < 0:
            raise IncompleteError
        self._at = found


def ub(value: int) -> bytes:
    """An unsigned integer."""
    if value == 0:
        return b"\0"
    size = (value.bit_length() + 7) // 8
    return bytes([size]) + value.to_bytes(size, "big")


def sb(value: int) -> bytes:
    """A signed integer."""
    encoded = ub(abs(value))
    return encoded if value >= 0 else bytes([encoded[0] | 0x80]) + encoded[1:]


def byte_string(data: bytes | None) -> bytes:
    """A byte string; empty and None are both NULL, as in Oracle."""
    if not data:
        return b"\0"
    if len(data) <= MAX_SHORT:
        return bytes([len(data)]) + data
    pieces = [data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES)]
    return bytes([CHUNKED]) + b"".join(ub(len(piece)) + piece for piece in pieces) + ub(0)


def two_lengths(data: bytes) -> bytes:
    """*2len*: the length twice, or a single zero."""
    return ub(len(data)) + byte_string(data) if data else ub(0)


def u16(value: int) -> bytes:
    return struct.pack(">H", value)


def u32(value: int) -> bytes:
    return struct.pack(">I", value)
