"""Stored bytes become UTF-8 text: decompressed within limits, and transcoded."""

import codecs
from collections.abc import Iterator
from typing import Protocol

import zstandard
from isal import isal_zlib

from services.ingest.errors import BombError, DamagedFileError, UnknownEncodingError
from services.ingest.read.csv.quoting import SWAPPED
from services.ingest.read.limits import MIB, Limits

PIECE_BYTES = 4 * MIB
GZIP_MAGIC = b"\x1f\x8b"
_DAMAGED: type[Exception] = isal_zlib.error  # type: ignore[assignment] # its stub says: an instance
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_INPUT_BYTES = 1024
"""A zstd block of 4 bytes can hold 128 KiB: fed in crumbs, the output stays small."""
_NOT_FOR_FILES = frozenset(
    {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "utf-7"}
)
MARK = "\udcff"
"""Stands for bytes that are no text; in UTF-8 it becomes the byte FF, which no text has."""


def _mark(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return MARK, error.end


codecs.register_error("tabularium.mark", _mark)


def codec_name(encoding: str) -> str:
    """Python's name of an encoding; raises UnknownEncodingError."""
    try:
        found = codecs.lookup(encoding.strip())
        found.incrementaldecoder().decode(b"a", final=True)
    except (LookupError, ValueError, TypeError, AssertionError):
        found = None
    # `hex`, `rot13` and the like are codecs, but not of text; CPython itself asks it so.
    if found is None or found.name in _NOT_FOR_FILES or not getattr(found, "_is_text_encoding", 1):
        raise UnknownEncodingError.of(
            "encoding", "unknown_encoding", f"'{encoding[:40]}' is no encoding that can be read"
        )
    return found.name


def compression_of(head: bytes) -> str | None:
    """`gzip`, `zstd` or None, by the first bytes."""
    if head.startswith(GZIP_MAGIC):
        return "gzip"
    return "zstd" if head.startswith(ZSTD_MAGIC) else None


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
    return _Guarded(_Gzip() if compression == "gzip" else _Zstd(), limits)


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


class Transcoder:
    """Text in some encoding becomes UTF-8; bytes that are no text become the byte FF.

    `swapped`: a delimiter of several bytes, which becomes `quoting.SWAPPED`. `bare_cr`: lines
    end with CR alone, as on old Macs, and get a LF instead.
    """

    def __init__(
        self,
        encoding: str,
        *,
        skip_bytes: int = 0,
        swapped: bytes | None = None,
        bare_cr: bool = False,
    ) -> None:
        self._skip = skip_bytes
        self._swapped = swapped
        self._bare_cr = bare_cr
        self._rest = b""
        self._decoder: codecs.IncrementalDecoder | None = None
        if encoding != "utf-8":
            self._decoder = codecs.getincrementaldecoder(encoding)(errors="tabularium.mark")

    def feed(self, data: bytes, *, final: bool = False) -> bytes:
        """The next piece; `final` ends the stream."""
        if self._skip:
            skipped = min(self._skip, len(data))
            data, self._skip = data[skipped:], self._skip - skipped
        if self._decoder is not None:
            data = self._decoder.decode(data, final).encode("utf-8", "surrogateescape")
        if self._bare_cr:
            data = data.replace(b"\r", b"\n")
        return data if self._swapped is None else self._swap(data, self._swapped, final=final)

    def _swap(self, data: bytes, swapped: bytes, *, final: bool) -> bytes:
        data, self._rest = self._rest + data, b""
        if SWAPPED in data:
            raise DamagedFileError(
                "with a delimiter outside ASCII the file must not hold the character U+001F"
            )
        if not final:  # a character may be cut in two
            for size in range(len(swapped) - 1, 0, -1):
                if data.endswith(swapped[:size]):
                    data, self._rest = data[:-size], data[-size:]
                    break
        return data.replace(swapped, SWAPPED)
