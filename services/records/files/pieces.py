"""CSV, NDJSON, JSON and gzip out of the bytes that COPY gives; memory does not grow with rows."""

import asyncio
import zlib
from collections.abc import AsyncIterator

PIECE_BYTES = 256 * 1024
"""Small pieces are joined up to this size: each one costs a message to the server's transport."""
GZIP_LEVEL = 1


async def json_array(lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Lines of JSON as one array; pieces may end anywhere in a line."""
    yield b"["
    ended = False  # whether a line break waits for what comes after it
    async for piece in lines:
        if not piece:
            continue
        text = (b"\n" if ended else b"") + piece
        ended = text.endswith(b"\n")
        yield (text[:-1] if ended else text).replace(b"\n", b",\n")
    yield b"]\n"


async def gzipped(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes, compressed in a thread."""
    compressor = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, wbits=31)
    async for piece in pieces:
        if out := await asyncio.to_thread(compressor.compress, piece):
            yield out
    yield compressor.flush()
