"""Stored bytes decompressed, within limits."""

import bz2
import lzma
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import zstandard
from isal import isal_zlib

from services.ingest.read.errors import BombError, DamagedFileError
from services.ingest.read.limits import MIB, Limits

PIECE_BYTES = 4 * MIB
GZIP_MAGIC = b"\x1f\x8b"
_DAMAGED: type[Exception] = isal_zlib.error  # type: ignore[assignment] # its stub says: an instance
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_INPUT_BYTES = 1024
"""A zstd block of 4 bytes can hold 128 KiB: fed in crumbs, the output stays small."""


XZ_MEMORY_BYTES = 128 * MIB
_MAGIC: Mapping[str, bytes] = {
    "gzip": GZIP_MAGIC,
    "zstd": ZSTD_MAGIC,
    "bzip2": b"BZh",
    "xz": b"\xfd7zXZ\0",
}
_BZIP2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")
"""What stands behind `BZh` and a digit: a block, or the end of an empty file."""


def compression_of(head: bytes) -> str | None:
    """`gzip`, `zstd`, `bzip2`, `xz` or None, by the first bytes."""
    name = next((name for name, magic in _MAGIC.items() if head.startswith(magic)), None)
    if name == "bzip2" and not head[4:].startswith(_BZIP2_BLOCKS):
        return None
    return name


class Decompressor(Protocol):
    """Takes compressed bytes, yields decompressed ones in pieces of bounded size."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Decompress the next bytes."""
        ...

    def finish(self) -> None:
        """Raise DamagedFileError when the file broke off."""
        ...


def decompressor(compression: str | None, limits: Limits) -> Decompressor:
    """The way back from a compression, or no way at all for None."""
    if compression is None:
        return _Plain()
    return _Guarded(_CODECS[compression](), limits)


class _Plain:
    def feed(self, data: bytes) -> Iterator[bytes]:
        yield data

    def finish(self) -> None:
        return


class _Gzip:
    """Any number of members, one after the other, as gzip and bgzip write them.

    ISA-L takes a third of zlib's time.
    """

    def __init__(self) -> None:
        self._member = isal_zlib.decompressobj(wbits=31)
        self._inside = True

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if not self._inside:
                data = data.lstrip(b"\0")  # padding between or behind members
                if not data:
                    return
                self._member, self._inside = isal_zlib.decompressobj(wbits=31), True
            try:
                piece = self._member.decompress(data, PIECE_BYTES)
            except _DAMAGED as error:
                raise DamagedFileError(f"the gzip file is damaged: {error}") from error
            data = self._member.unconsumed_tail
            if self._member.eof:
                data, self._inside = self._member.unused_data, False
            if piece:
                yield piece

    def finish(self) -> None:
        if self._inside:
            raise DamagedFileError("the gzip file breaks off before its end: send it again")


class _Zstd:
    """Any number of frames."""

    def __init__(self) -> None:
        self._codec = zstandard.ZstdDecompressor(max_window_size=1 << 27)
        self._frame = self._codec.decompressobj()
        self._inside = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        for at in range(0, len(data), _ZSTD_INPUT_BYTES):
            crumb = data[at : at + _ZSTD_INPUT_BYTES]
            while crumb:
                if not self._inside:
                    self._frame, self._inside = self._codec.decompressobj(), True
                try:
                    piece = self._frame.decompress(crumb)
                except zstandard.ZstdError as error:
                    raise DamagedFileError(f"the zstd file is damaged: {error}") from error
                crumb = b""
                if self._frame.eof:
                    crumb, self._inside = self._frame.unused_data, False
                if piece:
                    yield piece

    def finish(self) -> None:
        if self._inside:
            raise DamagedFileError("the zstd file breaks off before its end: send it again")


class _Streams:
    """Any number of bzip2 or xz streams, one after the other."""

    def __init__(self, name: str, codec: Callable[[], "_Codec"]) -> None:
        self._name = name
        self._codec = codec
        self._stream = codec()
        self._inside = True

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data or (self._inside and not self._stream.needs_input):
            if not self._inside:
                data = data.lstrip(b"\0")  # padding between or behind streams
                if not data:
                    return
                self._stream, self._inside = self._codec(), True
            try:
                piece = self._stream.decompress(data, PIECE_BYTES)
            except (OSError, EOFError, lzma.LZMAError) as exc:
                raise DamagedFileError(f"the {self._name} file is damaged: {exc}") from exc
            data = b""
            if self._stream.eof:
                data, self._inside = self._stream.unused_data, False
            if piece:
                yield piece

    def finish(self) -> None:
        if self._inside:
            raise DamagedFileError(
                f"the {self._name} file breaks off before its end: send it again"
            )


class _Codec(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=XZ_MEMORY_BYTES)


_CODECS: Mapping[str, Callable[[], Decompressor]] = {
    "gzip": _Gzip,
    "zstd": _Zstd,
    "bzip2": lambda: _Streams("bzip2", bz2.BZ2Decompressor),
    "xz": lambda: _Streams("xz", _xz),
}


class _Guarded:
    """Counts both sides, and stops a bomb."""

    def __init__(self, inner: Decompressor, limits: Limits) -> None:
        self._inner = inner
        self._limits = limits
        self._taken = self._given = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._taken += len(data)
        for piece in self._inner.feed(data):
            self._given += len(piece)
            self._check()
            yield piece

    def finish(self) -> None:
        self._inner.finish()

    def _check(self) -> None:
        limits = self._limits
        if self._given > limits.decompressed_bytes:
            raise BombError(
                f"the file grows beyond {limits.decompressed_bytes // MIB:,} MiB when decompressed"
            )
        if (
            self._given > limits.ratio_from_bytes
            and self._given > limits.decompression_ratio * self._taken
        ):
            raise BombError(
                f"the file grows to more than {limits.decompression_ratio} times its size when"
                " decompressed: send it uncompressed if that is meant"
            )
