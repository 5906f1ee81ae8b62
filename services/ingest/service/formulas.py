"""The report of refused rows, for those who open it in a spreadsheet program."""

import asyncio
import re
from collections.abc import AsyncIterator

from shared.store.copying import gathered
from shared.values.texts import FORMULA_STARTS

PIECE_BYTES = 256 * 1024

_CELL = re.compile(r'"(?:[^"]|"")*"|[^",\r\n]+')
_NUMBER = re.compile(r"[+-]\d+(?:[.,]\d+)*")


async def without_formulas(report: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same CSV, with an apostrophe before each cell that would be read as a formula.

    A number with its sign stays as it is. Memory is that of a few records.
    """
    waiting = b""
    async for piece in gathered(report, PIECE_BYTES):
        waiting += piece
        if end := _last_record_end(waiting):
            yield await asyncio.to_thread(_neutral, waiting[:end])
            waiting = waiting[end:]
    if waiting:
        yield await asyncio.to_thread(_neutral, waiting)


def _last_record_end(piece: bytes) -> int:
    """The place behind the last line break that is outside of quotes, 0 where there is none."""
    end, quotes = len(piece), piece.count(b'"')
    while (start := piece.rfind(b"\n", 0, end)) >= 0:
        quotes -= piece.count(b'"', start, end)
        if quotes % 2 == 0:
            return start + 1
        end = start
    return 0


def _neutral(records: bytes) -> bytes:
    return _CELL.sub(_cell, records.decode()).encode()


def _cell(match: re.Match[str]) -> str:
    # A file may begin with a byte order mark, which is no part of its first name.
    mark, text = ("\ufeff", match[0][1:]) if match[0][0] == "\ufeff" else ("", match[0])
    quote = '"' if text.startswith('"') else ""
    content = text[len(quote) :]
    if content[:1] not in FORMULA_STARTS or not content:
        return match[0]
    if _NUMBER.fullmatch(content.removesuffix(quote)):
        return match[0]
    return f"{mark}{quote}'{content}"
