"""A report of refused rows without those that entered by corrections; the rest stays as it is."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator

from services.ingest.plan.names import REPORT_COLUMNS

QUOTE = b'"'
END = b"\n"
_QUOTED_OR_COMMA = re.compile(rb'"[^"]*"|,')


async def still_open(
    chunks: AsyncIterator[bytes], corrected: frozenset[int]
) -> AsyncIterator[bytes]:
    """The header and the records of other lines."""
    records = _Records(corrected)
    async for chunk in chunks:
        if kept := await asyncio.to_thread(records.kept, chunk):
            yield kept


class _Records:
    """Cuts a CSV behind the ends of its records: a record has an even number of quotes."""

    def __init__(self, corrected: frozenset[int]) -> None:
        self._corrected = corrected
        self._is_header = True
        self._rest = b""
        self._record: list[bytes] = []
        self._quotes = 0

    def kept(self, chunk: bytes) -> bytes:
        """What of the records that end in this chunk stays."""
        kept = []
        for record in self._ended(chunk):
            if self._is_header or _line_of(record) not in self._corrected:
                kept.append(record)
            self._is_header = False
        return b"".join(kept)

    def _ended(self, chunk: bytes) -> Iterator[bytes]:
        lines = (self._rest + chunk).split(END)
        self._rest = lines.pop()
        for line in lines:
            self._record.append(line + END)
            self._quotes += line.count(QUOTE)
            if self._quotes % 2 == 0:
                yield b"".join(self._record)
                self._record, self._quotes = [], 0


def _line_of(record: bytes) -> int:
    """The report's own columns are its last, and the first of them is the line."""
    commas = [m.start() for m in _QUOTED_OR_COMMA.finditer(record) if m.group() == b","]
    before, behind = commas[-len(REPORT_COLUMNS)], commas[-len(REPORT_COLUMNS) + 1]
    return int(record[before + 1 : behind])
