"""A report of refused rows without those that entered by corrections; the rest stays as it is."""

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
    records = _Records()
    is_header = True
    async for chunk in chunks:
        kept = []
        for record in records.feed(chunk):
            if is_header or _line_of(record) not in corrected:
                kept.append(record)
            is_header = False
        if kept:
            yield b"".join(kept)


class _Records:
    """Cuts a CSV behind the ends of its records: a record has an even number of quotes."""

    def __init__(self) -> None:
        self._rest = b""
        self._record: list[bytes] = []
        self._quotes = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The records that end in this chunk; each ends with a line feed."""
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
