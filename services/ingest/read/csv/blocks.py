"""Bytes of delimited text cut into blocks at record ends, with the physical line of each block.

What a block's bytes hold is told exactly: either every quote in it is regular (then a newline
after an even number of quotes ends a record, and any parser reads it alike), or the irregular
records were taken out and stand beside it.
"""

from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from services.ingest.read.csv.quoting import (
    LF,
    Cut,
    Dialect,
    Splitter,
)
from services.ingest.read.limits import Limits

RAW_LIMIT = 10_000
"""Bytes of a record that could not be split which are kept for the report."""


@dataclass(frozen=True, slots=True)
class IrregularRecord:
    """A record taken out of its block: split by the exact splitter, or not at all."""

    line: int
    fields: tuple[bytes | None, ...] | None
    raw: bytes
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive regular records; every one ends with LF."""

    text: bytes
    first_line: int
    end_line: int
    """The line behind the last one."""


@dataclass(frozen=True, slots=True)
class Block:
    """Records in order of their lines, in as few runs as the irregular records allow."""

    runs: tuple[Run, ...]
    irregular: tuple[IrregularRecord, ...] = ()


class BlockCutter:
    """Cuts a stream of UTF-8 bytes; CPU-bound, so call it in a thread.

    It holds at most one block and one record (`limits.record_bytes`) of text.
    """

    def __init__(self, dialect: Dialect, limits: Limits, *, first_line: int = 1) -> None:
        self._dialect = dialect
        self._splitter = Splitter(dialect)
        self._limits = limits
        self._rest = b""
        self._line = first_line
        self._skipping: IrregularRecord | None = None

    def feed(self, data: bytes, *, final: bool = False) -> Block:
        """The whole records in what was fed so far; the rest waits for more.

        `final` says that the stream ends here: the last record may lack its newline.
        """
        # Up to the last newline in one copy; where the last record ends elsewhere, it is cut again.
        end = len(data) if final else data.rfind(LF) + 1 or len(data)
        text = b"".join((self._rest, memoryview(data)[:end])) if self._rest else data[:end]
        tail, self._rest = data[end:], b""
        skipped: list[IrregularRecord] = []
        if self._skipping is not None:
            found = text.find(LF)
            if found < 0 and not final:
                return Block(())
            text = text[found + 1 :] if found >= 0 else b""
            self._line += 1
            skipped.append(self._skipping)
            self._skipping = None
        if final and text and not text.endswith(LF) and self._closed(text):
            text += LF
        regular_end = self._regular_end(text)
        stuck = regular_end == 0 and len(text) + len(tail) > self._limits.record_bytes
        if regular_end is None or stuck or (final and regular_end < len(text)):
            block = self._scan(text + tail, final=final)
            return Block(block.runs, (*skipped, *block.irregular))
        runs: list[Run] = []
        self._close_run(runs, text[:regular_end])
        self._keep(text[regular_end:] + tail)
        return Block(tuple(runs), tuple(skipped))

    def _closed(self, text: bytes) -> bool:
        quote = self._dialect.quote
        return quote is None or text.count(quote) % 2 == 0

    def _regular_end(self, text: bytes) -> int | None:
        """Where the last whole record ends, or None when some quote is irregular."""
        quote = self._dialect.quote
        end = text.rfind(LF) + 1
        if not end or quote is None or quote not in text:
            return end
        codes = byte_series(text)
        quotes = (codes == quote[0]).arg_true()
        before: int = quotes.search_sorted(end)
        if before % 2:  # this newline is inside a quoted field
            before -= 1
            end = text.rfind(LF, 0, int(quotes[before])) + 1
            before = int(quotes.search_sorted(end))
        return end if self._quotes_regular(codes, quotes.head(before)) else None

    def _quotes_regular(self, codes: pl.Series, quotes: pl.Series) -> bool:
        """Whether every quote opens, closes or is doubled as RFC 4180 wants.

        Taken in pairs, the first of a pair has a delimiter, a newline or another quote before
        it, the second one of them (or CRLF) behind it.
        """
        if len(quotes) % 2:
            return False
        quote = (self._dialect.quote or b"\0")[0]
        opening, closing = quotes.gather_every(2, 0), quotes.gather_every(2, 1)
        if len(opening) and opening[0] == 0:
            opening = opening.slice(1)

        def borders(neighbours: pl.Series) -> pl.Series:
            # Three comparisons take a third of the time of `is_in`.
            delimiter = neighbours == self._dialect.delimiter[0]
            return delimiter | (neighbours == LF[0]) | (neighbours == quote)

        if not borders(codes.gather(opening - 1)).all():
            return False
        irregular = closing.filter(~borders(codes.gather(closing + 1)))
        if not len(irregular):
            return True
        following = codes.gather(irregular + 1) == ord("\r")
        return bool(following.all()) and bool((codes.gather(irregular + 2) == LF[0]).all())

    def _scan(self, text: bytes, *, final: bool) -> Block:
        """Record by record wherever there is a quote; in bulk where there is none."""
        quote = self._dialect.quote or b""
        runs: list[Run] = []
        irregular: list[IrregularRecord] = []
        start = position = 0
        while position < len(text):
            found = text.find(quote, position) if quote else -1
            position = text.rfind(LF, position, found if found >= 0 else len(text)) + 1 or position
            if found < 0:
                break
            end = self._splitter.is_regular(text, position)
            if end >= 0:
                position = end
                continue
            taken = self._take_irregular(text, position, final=final)
            if taken is None:
                break
            self._close_run(runs, text[start:position])
            fields, end, reason = taken
            raw = text[position:end]
            if fields is None or raw.strip(b"\r\n"):
                irregular.append(
                    IrregularRecord(self._line, fields, raw.rstrip(b"\r\n")[:RAW_LIMIT], reason)
                )
            self._line += raw.count(LF)
            start = position = end
        self._close_run(runs, text[start:position])
        rest = text[position:]
        if final and rest:
            self._close_run(runs, rest + LF)
        else:
            self._keep(rest)
        return Block(tuple(runs), tuple(irregular))

    def _take_irregular(
        self, text: bytes, position: int, *, final: bool
    ) -> tuple[tuple[bytes | None, ...] | None, int, str | None] | None:
        """Fields, end and reason of the record at `position`; None when it needs more bytes."""
        split = self._splitter.split(text, position, final=final)
        too_large = len(text) - position > self._limits.record_bytes
        if split is Cut.INCOMPLETE and not too_large:
            return None
        if not isinstance(split, Cut):
            return split.fields, split.end, None
        end = text.find(LF, position) + 1
        if not end and not final:
            return None
        return None, end or len(text), "a quote that opens on this line is not closed properly"

    def _close_run(self, runs: list[Run], text: bytes) -> None:
        if text:
            # Five times as fast as `bytes.count`, which stops at every one.
            end_line = self._line + int((byte_series(text) == LF[0]).sum())
            runs.append(Run(text, self._line, end_line))
            self._line = end_line

    def _keep(self, rest: bytes) -> None:
        """Hold what may be the start of a record, unless it is beyond all measure."""
        if len(rest) <= self._limits.record_bytes or LF in rest:
            self._rest = rest
            return
        size_mib = self._limits.record_bytes >> 20
        self._skipping = IrregularRecord(
            self._line, None, rest[:RAW_LIMIT], f"the line is longer than {size_mib} MiB"
        )


def byte_series(text: bytes) -> pl.Series:
    """The bytes as a `UInt8` series, without a copy."""
    array = pa.Array.from_buffers(pa.uint8(), len(text), [None, pa.py_buffer(text)])
    series = pl.from_arrow(array)
    assert isinstance(series, pl.Series)
    return series
