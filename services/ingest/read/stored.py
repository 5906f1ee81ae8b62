"""Stored bytes as UTF-8 text in pieces: decompressed and transcoded."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace

from services.ingest.read.charset import (
    EncodingFound,
    Transcoder,
    guessed,
    is_utf8,
    mostly_utf8,
    refuse_contradiction,
    tally,
)
from services.ingest.read.decompress import decompressor
from services.ingest.read.head import Head
from services.ingest.read.limits import Limits
from services.ingest.read.pieces import VALUE_MARKS, in_even_pieces
from services.ingest.read.source import StoredBytes
from shared.process.threads import beside_loop
from shared.store.copying import gathered

FEED_BYTES = 1 << 20
HELD_BYTES = 4 << 20
"""So much of what may be padding at the end of a file waits for what comes behind it."""
_CONTROLS = b"\x1a\0"
_PADDING = b"\x1a\0\r\n"
_TAIL = (b"\x1a", b"\0", b"\x1a\n", b"\x1a\r\n")


@dataclass(frozen=True, slots=True)
class Piece:
    """Some UTF-8 text; `bytes_read`: the stored bytes up to its end, `text_bytes` its own."""

    text: bytes
    final: bool
    bytes_read: int
    text_bytes: int = 0
    """Of all text up to its end."""


class OtherEncodingError(Exception):
    """The first bytes behind the head that are not ASCII are in another encoding."""

    def __init__(self, encoding: EncodingFound) -> None:
        super().__init__(encoding.codec)
        self.encoding = encoding


@dataclass(frozen=True, slots=True)
class StoredText:
    """The text of a stored file. `swapped` and `bare_cr` are those of Transcoder.

    `marks`: what ends its cells or values, as far as that is known.
    """

    stored: StoredBytes
    compression: str | None
    encoding: EncodingFound
    limits: Limits
    swapped: bytes | None = None
    bare_cr: bool = False
    marks: bytes = VALUE_MARKS

    @classmethod
    def of(
        cls,
        stored: StoredBytes,
        head: Head,
        *,
        swapped: bytes | None = None,
        bare_cr: bool = False,
        marks: bytes = VALUE_MARKS,
    ) -> "StoredText":
        """The text of a file with this head."""
        return cls(stored, head.compression, head.encoding, head.limits, swapped, bare_cr, marks)

    async def pieces(self) -> AsyncIterator[Piece]:
        """The text from its start, without Ctrl-Z and NULs at its end.

        Raises OtherEncodingError, EncodingNeededError.
        """
        held = b""
        text_bytes = 0
        async for piece in self._pieces():
            text_bytes += len(piece.text)
            text = held + piece.text if held else piece.text
            held = b""
            if text.endswith(_TAIL):
                kept = text.rstrip(_PADDING) if piece.final else text.rstrip(_CONTROLS)
                text, held = kept, text[len(kept) :]
            if len(held) > HELD_BYTES and not piece.final:
                text, held = text + held, b""
            yield replace(piece, text=text, text_bytes=text_bytes)

    async def _pieces(self) -> AsyncIterator[Piece]:
        """The text from its start.

        The first piece is small and the next ones grow to a block, so that what comes after has
        something to do soon.
        """
        codec = decompressor(self.compression, self.limits)
        transcoder = Transcoder(
            self.encoding,
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
                proven = proven or await self._prove(part)
                parts.append(part)
                size += len(part)
                if size >= enough:
                    enough = min(2 * enough, self.limits.block_bytes)
                    texts = await asyncio.to_thread(self._transcoded, transcoder, parts)
                    parts, size = [], 0
                    for text in texts:
                        yield Piece(text, final=False, bytes_read=bytes_read)
        codec.finish()
        *texts, last = await beside_loop(size, self._transcoded, transcoder, parts, final=True)
        for text in texts:
            yield Piece(text, final=False, bytes_read=bytes_read)
        yield Piece(last, final=True, bytes_read=bytes_read)

    def _transcoded(
        self, transcoder: Transcoder, parts: list[bytes], *, final: bool = False
    ) -> list[bytes]:
        return in_even_pieces(transcoder.feed(b"".join(parts), final=final), self.marks)

    async def _prove(self, part: bytes) -> bool:
        """Whether the first bytes that are not ASCII are in the encoding taken for granted.

        Raises OtherEncodingError, EncodingNeededError, EncodingContradictedError.
        """
        if part.isascii():
            return False
        if self.encoding.codec != "utf-8":
            refuse_contradiction(part, self.encoding.codec, complete=False)
            return True
        if not is_utf8(part, complete=False) and not mostly_utf8(await self._tally()):
            raise OtherEncodingError(guessed(part, complete=False))
        return True

    async def _tally(self) -> tuple[int, int]:
        """The lines of the whole file that are not ASCII: how many are UTF-8, how many not."""
        codec = decompressor(self.compression, self.limits)
        valid = invalid = 0
        rest = b""
        async for chunk in gathered(_bytes(self.stored), FEED_BYTES):
            async for part in _decompressed(codec.feed(chunk), self.compression):
                text = rest + part
                end = text.rfind(b"\n") + 1
                rest = text[end:] if len(text) - end < self.limits.record_bytes else b""
                more = await asyncio.to_thread(tally, text[:end])
                valid, invalid = valid + more[0], invalid + more[1]
        more = tally(rest)
        return valid + more[0], invalid + more[1]


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


async def _bytes(stored: StoredBytes) -> AsyncIterator[bytes]:
    async for chunk in stored.chunks():
        yield bytes(chunk)
