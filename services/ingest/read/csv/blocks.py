"""Bytes of delimited text cut into blocks at record ends, with the physical line of each block.

Either every quote in a block is regular (then a newline after an even number of quotes ends a
record, and any parser reads it alike), or the irregular records stand beside it.
"""

from codecs import BOM_UTF8
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from services.ingest.domain.outcome import RejectCode
from services.ingest.read.csv.quoting import (
    LF,
    Cut,
    Dialect,
    Splitter,
)
from services.ingest.read.limits import Limits
from services.ingest.read.pieces import LINES_PER_PIECE, byte_series

QUOTES_AT_ONCE = 1 << 20
"""Text with more quotes, which is one line of them, is scanned: their places take memory."""
RAW_LIMIT = 10_000
"""Bytes of a record that could not be split which are kept for the report."""


@dataclass(frozen=True, slots=True)
class RecordFault:
    """Why a record cannot be split."""

    code: RejectCode
    message: str


UNCLOSED = RecordFault(
    RejectCode.TOO_FEW_FIELDS, "a quote that opens on this line is not closed properly"
)
STRAY = RecordFault(
    RejectCode.STRAY_QUOTE,
    "text stands behind a closing quote: double the quotes within a field, or send `quote=none`"
    " or `escape=backslash`",
)


@dataclass(frozen=True, slots=True)
class IrregularRecord:
    """A record taken out of its block: split by the exact splitter, or not at all."""

    line: int
    fields: tuple[bytes | None, ...] | None
    raw: bytes
    fault: "RecordFault | None" = None
    """Why it could not be split."""


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
    byte_order_marks: int = 0
    """Marks that stood before records, as in files that were joined; they are left out."""
    behind: bytes = b""
    """Text to be fed again, in pieces: a record was given up that had been waited for."""


class Cutter(Protocol):
    """Cuts a stream of UTF-8 bytes; CPU-bound, so call it in a thread."""

    def feed(self, data: bytes, *, final: bool = False) -> Block:
        """The whole records in what was fed so far; `final`: the stream ends here."""
        ...


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
        waited_for = len(self._rest) > LINES_PER_PIECE
        # Up to the last newline in one copy; where the last record ends elsewhere, it is cut again.
        end = len(data) if final else data.rfind(LF) + 1 or len(data)
        text = b"".join((self._rest, memoryview(data)[:end])) if self._rest else data[:end]
        tail, self._rest = data[end:], b""
        skipped: list[IrregularRecord] = []
        if self._skipping is not None:
            newline = text.find(LF)
            if newline < 0 and not final:
                return Block(())
            text = text[newline + 1 :] if newline >= 0 else b""
            self._line += 1
            skipped.append(self._skipping)
            self._skipping = None
        text, marks = self._without_marks(text)
        if final and text and not text.endswith(LF) and self._closed(text):
            text += LF
        regular_end = None if self._must_scan(text) else self._regular_end(text)
        stuck = regular_end == 0 and len(text) + len(tail) > self._limits.record_bytes
        if regular_end is None or stuck or (final and regular_end < len(text)):
            block = self._scan(text + tail, final=final, waited_for=waited_for)
            return Block(block.runs, (*skipped, *block.irregular), marks, block.behind)
        runs: list[Run] = []
        self._close_run(runs, text[:regular_end])
        self._keep(text[regular_end:] + tail)
        return Block(tuple(runs), tuple(skipped), marks)

    def _without_marks(self, text: bytes) -> tuple[bytes, int]:
        """The text without byte order marks before its records, and how many there were."""
        # Looking for one byte takes a twentieth of the time.
        if BOM_UTF8[:1] not in text or BOM_UTF8 not in text:
            return text, 0
        within = text.removeprefix(BOM_UTF8).replace(LF + BOM_UTF8, LF)
        return within, (len(text) - len(within)) // len(BOM_UTF8)

    def _must_scan(self, text: bytes) -> bool:
        """Whether records may begin with a comment, or blanks stand around quotes."""
        comment, quote = self._dialect.comment, self._dialect.quote
        if comment is not None and (text.startswith(comment) or LF + comment in text):
            return True
        return self._dialect.trim and quote is not None and quote in text

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
        quoting = codes == quote[0]
        if quoting.sum() > QUOTES_AT_ONCE:
            return None
        if _count(quoting.head(end)) % 2:  # this newline is inside a quoted field
            end = text.rfind(LF, 0, text.rfind(quote, 0, end)) + 1
        return end if self._quotes_regular(codes.head(end), quoting.head(end)) else None

    def _quotes_regular(self, codes: pl.Series, quoting: pl.Series) -> bool:
        """Whether every quote opens, closes or is doubled as RFC 4180 wants.

        Taken in pairs, the first of a pair has a delimiter, a newline or another quote before
        it, the second one of them (or CRLF) behind it. `codes` end with a newline, and `quoting`
        is which of them are quotes: to filter the bytes beside them takes a tenth of the time that
        it takes to list their places.
        """
        if not len(codes):
            return True
        if _count(quoting) % 2:
            return False
        quote = (self._dialect.quote or b"\0")[0]
        last = len(codes) - 1
        # A quote that is the very first byte has none before it.
        opening = codes.head(last).filter(quoting.slice(1)).gather_every(2, int(quoting[0]))
        closing = codes.slice(1).filter(quoting.head(last)).gather_every(2, 1)

        def borders(neighbours: pl.Series) -> pl.Series:
            # Three comparisons take a third of the time of `is_in`.
            delimiter = neighbours == self._dialect.delimiter[0]
            return delimiter | (neighbours == LF[0]) | (neighbours == quote)

        if not borders(opening).all():
            return False
        others = ~borders(closing)
        if not others.any():
            return True
        # The last quote has nothing there if the last newline is behind it.
        second = codes.slice(2).filter(quoting.head(last - 1)).gather_every(2, 1)
        others = others.head(len(second))
        crlf = (closing.head(len(second)) == ord("\r")) & (second == LF[0])
        return bool((crlf | ~others).all())

    def _scan(self, text: bytes, *, final: bool, waited_for: bool) -> Block:
        """Record by record wherever there is a quote; in bulk where there is none.

        `waited_for`: for the end of the first one, so that any number of lines may be behind it.
        """
        runs: list[Run] = []
        irregular: list[IrregularRecord] = []
        start = position = 0
        while position < len(text):
            special = self._next_special(text, position)
            before = special if special >= 0 else len(text)
            position = text.rfind(LF, position, before) + 1 or position
            if special < 0:
                break
            if self._is_comment(text, position):
                end = text.find(LF, position) + 1 or len(text) * final
                if not end:
                    break
                self._close_run(runs, text[start:position])
                self._line += 1
                start = position = end
                continue
            end = self._splitter.regular_end(text, position)
            if end >= 0:
                position = end
                continue
            taken = self._take_irregular(text, position, final=final)
            if taken is None:
                break
            self._close_run(runs, text[start:position])
            fields, end, fault = taken
            raw = text[position:end]
            if fields is None or raw.strip(b"\r\n"):
                irregular.append(
                    IrregularRecord(self._line, fields, raw.rstrip(b"\r\n")[:RAW_LIMIT], fault)
                )
            self._line += raw.count(LF)
            if waited_for and fields is None and not position:
                return Block((), tuple(irregular), behind=text[end:])
            start = position = end
        self._close_run(runs, text[start:position])
        rest = text[position:]
        if final and rest:
            self._close_run(runs, rest + LF)
        else:
            self._keep(rest)
        return Block(tuple(runs), tuple(irregular))

    def _next_special(self, text: bytes, position: int) -> int:
        """The next quote, or start of a comment, from the start of a record; -1 without any."""
        quote, comment = self._dialect.quote, self._dialect.comment
        places = [text.find(quote, position)] if quote is not None else []
        if comment is not None:
            if text.startswith(comment, position):
                return position
            newline = text.find(LF + comment, position)
            places.append(newline + 1 if newline >= 0 else -1)
        return min((place for place in places if place >= 0), default=-1)

    def _is_comment(self, text: bytes, position: int) -> bool:
        comment = self._dialect.comment
        return comment is not None and text.startswith(comment, position)

    def _take_irregular(
        self, text: bytes, position: int, *, final: bool
    ) -> tuple[tuple[bytes | None, ...] | None, int, RecordFault | None] | None:
        """Fields, end and fault of the record at `position`; None when it needs more bytes."""
        split = self._splitter.split(text, position, final=final)
        too_large = len(text) - position > self._limits.record_bytes
        if split is Cut.INCOMPLETE and not too_large:
            return None
        if not isinstance(split, Cut):
            return split.fields, split.end, None
        end = text.find(LF, position) + 1
        if not end and not final:
            return None
        return None, end or len(text), STRAY if split is Cut.STRAY else UNCLOSED

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
            self._line,
            None,
            rest[:RAW_LIMIT],
            RecordFault(RejectCode.TOO_LONG, f"the line is longer than {size_mib} MiB"),
        )


def _count(marked: pl.Series) -> int:
    return int(marked.sum())
