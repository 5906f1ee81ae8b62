r"""Delimited text in which a backslash takes the meaning from the character behind it.

As MySQL and PostgreSQL write it: `\n`, `\t`, `\r`, `\b`, `\f`, `\v` and `\0` are control
characters, `\N` alone in a field is NULL, any other character is itself, a newline too. Doubled
quotes within a quoted field are a quote as well. Every record is split exactly, so this takes
several times as long as text without backslashes.
"""

import re

from services.ingest.domain.outcome import RejectCode
from services.ingest.read.csv.blocks import (
    RAW_LIMIT,
    STRAY,
    UNCLOSED,
    Block,
    IrregularRecord,
    RecordFault,
)
from services.ingest.read.csv.quoting import FIELDS_LIMIT, LF, Cut, Dialect, Split
from services.ingest.read.limits import MIB, Limits
from services.ingest.read.pieces import LINES_PER_PIECE

NULL = rb"\N"
_CONTROLS = {
    b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b", b"f": b"\f", b"v": b"\v", b"0": b"\0",
}  # fmt: skip
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)


class EscapedSplitter:
    """Splits single records; like `quoting.Splitter`."""

    def __init__(self, dialect: Dialect) -> None:
        delimiter = re.escape(dialect.delimiter)
        self._dialect = dialect
        self._plain = re.compile(rb"(?:[^\\" + delimiter + rb"\n]|\\.)*+", re.DOTALL)
        if dialect.quote is not None:
            quote = re.escape(dialect.quote)
            body = rb"(?:[^\\" + quote + rb"]|\\.|" + quote + quote + rb")*+"
            self._quoted = re.compile(quote + body + quote, re.DOTALL)

    def split(self, text: bytes, start: int, *, final: bool) -> Split | Cut:
        """Split the record at `start`; `final`: nothing follows, and the last LF may lack."""
        fields: list[bytes | None] = []
        position, size, quote = start, len(text), self._dialect.quote
        while True:
            quoted = None
            if quote is not None and text.startswith(quote, position):
                match = self._quoted.match(text, position)
                if match is None:
                    return Cut.UNCLOSED if final else Cut.INCOMPLETE
                quoted, position = match.group()[1:-1].replace(quote * 2, quote), match.end()
            plain = self._plain.match(text, position)
            assert plain is not None
            position = plain.end()
            if (position >= size and not final) or text[position : position + 1] == b"\\":
                return Cut.UNCLOSED if final else Cut.INCOMPLETE
            cell = plain.group()
            if (position >= size or text[position] == LF[0]) and cell.endswith(b"\r"):
                cell = cell[:-1]
            if quoted is not None and cell:
                return Cut.STRAY
            fields.append(_unescaped(cell) if quoted is None else _unescaped_quoted(quoted))
            if position >= size:
                return Split(tuple(fields), size)
            position += 1
            if text[position - 1] == LF[0]:
                return Split(tuple(fields), position)
            if len(fields) > FIELDS_LIMIT:
                return self._cut_short(text, position, fields, final=final)

    def _cut_short(
        self, text: bytes, position: int, fields: list[bytes | None], *, final: bool
    ) -> Split | Cut:
        """A record of too many fields: it ends with its line."""
        end = text.find(LF, position) + 1
        if not end and not final:
            return Cut.INCOMPLETE
        return Split(tuple(fields), end or len(text))


class EscapedCutter:
    """Cuts a stream of UTF-8 bytes; CPU-bound, so call it in a thread."""

    def __init__(self, dialect: Dialect, limits: Limits, *, first_line: int = 1) -> None:
        self._splitter = EscapedSplitter(dialect)
        self._comment = dialect.comment
        self._limits = limits
        self._rest = b""
        self._line = first_line

    def feed(self, data: bytes, *, final: bool = False) -> Block:
        """The whole records in what was fed so far; `final`: the stream ends here."""
        waited_for = len(self._rest) > LINES_PER_PIECE
        text, self._rest = self._rest + data, b""
        records: list[IrregularRecord] = []
        position = 0
        while position < len(text):
            taken = self._next(text, position, final=final)
            if taken is None:
                self._rest = text[position:]
                break
            record, end = taken
            if record is not None:
                records.append(record)
            self._line += text.count(LF, position, end)
            if waited_for and record is not None and record.fault is not None and not position:
                return Block((), tuple(records), behind=text[end:])
            position = end
        return Block((), tuple(records))

    def _next(
        self, text: bytes, position: int, *, final: bool
    ) -> tuple[IrregularRecord | None, int] | None:
        """The record at `position`, None for a comment or blank line, and its end."""
        line_end = text.find(LF, position) + 1 or (len(text) if final else 0)
        if self._comment is not None and text.startswith(self._comment, position):
            return (None, line_end) if line_end else None
        split = self._splitter.split(text, position, final=final)
        if not isinstance(split, Cut):
            raw = text[position : split.end].rstrip(b"\r\n")[:RAW_LIMIT]
            return IrregularRecord(self._line, split.fields, raw) if raw else None, split.end
        if split is Cut.INCOMPLETE and len(text) - position <= self._limits.record_bytes:
            return None
        if not line_end:
            fault = RecordFault(
                RejectCode.TOO_LONG,
                f"the line is longer than {self._limits.record_bytes // MIB} MiB",
            )
            return self._refused(text, position, len(text), fault)
        fault = STRAY if split is Cut.STRAY else UNCLOSED
        return self._refused(text, position, line_end, fault)

    def _refused(
        self, text: bytes, position: int, end: int, fault: RecordFault
    ) -> tuple[IrregularRecord, int]:
        raw = text[position:end].rstrip(b"\r\n")[:RAW_LIMIT]
        return IrregularRecord(self._line, None, raw, fault), end


def _unescaped(cell: bytes) -> bytes | None:
    return None if cell in (b"", NULL) else _unescaped_quoted(cell)


def _unescaped_quoted(cell: bytes) -> bytes:
    if b"\\" not in cell:
        return cell
    return _ESCAPED.sub(lambda match: _CONTROLS.get(match[1], match[1]), cell)
