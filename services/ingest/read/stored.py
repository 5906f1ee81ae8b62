"""Stored bytes as UTF-8 text in pieces: decompressed and transcoded."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from services.ingest.read.charset import EncodingFound, Transcoder, encoding_of
from services.ingest.read.decompress import decompressor
from services.ingest.read.head import Head
from services.ingest.read.limits import Limits
from services.ingest.read.source import StoredBytes
from shared.store.copying import gathered

FEED_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """Some UTF-8 text; `bytes_read`: the stored bytes up to its end."""

    text: bytes
    final: bool
    bytes_read: int


class OtherEncodingError(Exception):
    """The first bytes behind the head that are not ASCII are in another encoding."""

    def __init__(self, encoding: EncodingFound) -> None:
        super().__init__(encoding.codec)
        self.encoding = encoding


@dataclass(frozen=True, slots=True)
class StoredText:
    """The text of a stored file. `swapped` and `bare_cr` are those of Transcoder."""

    stored: StoredBytes
    compression: str | None
    encoding: EncodingFound
    limits: Limits
    swapped: bytes | None = None
    bare_cr: bool = False

    @classmethod
    def of(
        cls, stored: StoredBytes, head: Head, *, swapped: bytes | None = None, bare_cr: bool = False
    ) -> "StoredText":
        """The text of a file with this head."""
        return cls(stored, head.compression, head.encoding, head.limits, swapped, bare_cr)

    async def pieces(self) -> AsyncIterator[Piece]:
        """The text from its start; raises OtherEncodingError, EncodingNeededError.

        The first piece is small and the next ones grow to a block, so that what comes after has
        something to do soon.
        """
        codec = decompressor(self.compression, self.limits)
        transcoder = Transcoder(
            self.encoding.codec,
            skip_bytes=self.encoding.bom_bytes,
            swapped=self.swapped,
            bare_cr=self.bare_cr,
        )
        parts: list[bytes] = []
        size = bytes_read = 0
        enough = min(FEED_BYTES, self.limits.block_bytes)
        proven = self.encoding.proven
        async for chunk in gathered(_bytes(self.stored), enough):
            bytes_read += len(chunk)
            async for part in _decompressed(codec.feed(chunk), self.compression):
                proven = proven or self._prove(part)
                parts.append(part)
                size += len(part)
                if size >= enough:
                    enough = min(2 * enough, self.limits.block_bytes)
                    text = await asyncio.to_thread(_transcode, transcoder, parts)
                    parts, size = [], 0
                    yield Piece(text, final=False, bytes_read=bytes_read)
        codec.finish()
        yield Piece(transcoder.feed(b"".join(parts), final=True), final=True, bytes_read=bytes_read)

    def _prove(self, part: bytes) -> bool:
        """Whether the first bytes that are not ASCII are UTF-8, as was taken for granted."""
        if part.isascii():
            return False
        encoding = encoding_of(part, None, complete=False)
        if encoding.codec != self.encoding.codec:
            raise OtherEncodingError(EncodingFound(encoding.codec))
        return True


async def _decompressed(parts: Iterator[bytes], compression: str | None) -> AsyncIterator[bytes]:
    """The parts, made in a thread where that is work."""
    if compression is None:
        for part in parts:
            yield part
        return
    while (one := await asyncio.to_thread(_next, parts)) is not None:
        yield one


def _next(parts: Iterator[bytes]) -> bytes | None:
    return next(parts, None)


def _transcode(transcoder: Transcoder, parts: list[bytes]) -> bytes:
    return transcoder.feed(b"".join(parts))


async def _bytes(stored: StoredBytes) -> AsyncIterator[bytes]:
    async for chunk in stored.chunks():
        yield bytes(chunk)
