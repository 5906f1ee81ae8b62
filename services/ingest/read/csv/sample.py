"""The first records of a delimited file, by which its dialect and header are found."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.ingest.read.csv.escaped import EscapedSplitter
from services.ingest.read.csv.quoting import FIELDS_LIMIT, LF, Dialect, Split, Splitter
from services.ingest.read.csv.structure import NUMBER_OR_DATE, RULE

SAMPLED_RECORDS = 100
_BLANK_LINES = re.compile(rb"(?:[ \t\r\f\v]*+\n)++")


@dataclass(frozen=True, slots=True)
class Record:
    """A record of the head: `start` and `end` in its text, and its physical line from 1.

    `fields` is empty where it cannot be split.
    """

    start: int
    end: int
    line: int
    fields: tuple[bytes | None, ...]
    raw: bytes

    @property
    def texts(self) -> tuple[str, ...]:
        """The fields as text, without blanks around them."""
        return tuple((field or b"").decode(errors="replace").strip() for field in self.fields)

    @property
    def filled(self) -> int:
        """How many fields are not empty."""
        return sum(bool(text) for text in self.texts)


@dataclass(frozen=True, slots=True)
class Sample:
    """The records of a head that are not blank, in one dialect."""

    dialect: Dialect
    records: tuple[Record, ...]
    ruled: bool = False
    """Lines are drawn between its rows, which are none of the records."""

    @classmethod
    def of(cls, text: bytes, dialect: Dialect, *, start: int, line: int) -> "Sample":
        """Those from `start`, which is on the physical `line`."""
        records = tuple(_records(text, dialect, start, line))
        rows = tuple(record for record in records if RULE.fullmatch(record.raw) is None)
        ruled = len(rows) < len(records) and any(len(row.fields) > 1 for row in rows)
        return cls(dialect, rows if ruled else records, ruled)

    def width(self, *, behind: int = 0) -> int:
        """The number of fields that most records have, from the record `behind` on."""
        widths = Counter(len(record.fields) for record in self.records[behind:] if record.fields)
        return max(widths, key=lambda width: (widths[width], width), default=0)


def _records(text: bytes, dialect: Dialect, start: int, line: int) -> Iterator[Record]:
    splitter = EscapedSplitter(dialect) if dialect.backslash else Splitter(dialect)
    count = 0
    while start < len(text) and count < SAMPLED_RECORDS:
        if blank := _BLANK_LINES.match(text, start):
            line += text.count(LF, start, blank.end())
            start = blank.end()
            continue
        end = text.find(LF, start) + 1 or len(text)
        fields: tuple[bytes | None, ...] = ()
        comment = dialect.comment is not None and text.startswith(dialect.comment, start)
        if not comment:
            split = splitter.split(text, start, final=True)
            if isinstance(split, Split):
                end, fields = split.end, split.fields
        raw = text[start:end]
        if not comment and raw.strip():
            count += 1
            yield Record(start, end, line, fields, raw.rstrip(b"\r\n"))
        line += raw.count(LF)
        start = end


def is_number_or_date(text: str) -> bool:
    """Whether a person would take it for a number, a date or a time."""
    return NUMBER_OR_DATE.fullmatch(text.strip()) is not None


def typed_fields(records: Sequence[Record], width: int) -> tuple[int, ...]:
    """The fields in which every record has a number or date, or nothing, and one has some."""
    rows = [record.texts for record in records if len(record.fields) == width]
    return tuple(
        at
        for at in range(width)
        if any(row[at] for row in rows)
        and all(not row[at] or is_number_or_date(row[at]) for row in rows)
    )


def gaps(record: Record, dialect: Dialect) -> tuple[bool, bool]:
    """Whether blanks stand behind every delimiter of a record, and before every one."""
    if len(record.fields) > FIELDS_LIMIT:
        return False, False
    delimiter, quote = re.escape(dialect.delimiter), re.escape(dialect.quote or b'"')
    blanks = rb"[" + re.escape(dialect.blanks) + rb"]*"
    quoted = quote + rb"(?:[^" + quote + rb"]|" + quote * 2 + rb")*" + quote
    field = re.compile(
        rb"(" + blanks + rb")(" + quoted + rb"|[^" + delimiter + quote + rb"]*?)(" + blanks + rb")"
        rb"(" + delimiter + rb"|$)"
    )
    leading: list[bool] = []
    trailing: list[bool] = []
    position = 0
    while match := field.match(record.raw, position):
        empty = not match[2]
        leading.append(bool(match[1]) or empty)
        trailing.append(bool(match[3]) or empty)
        position = match.end()
        if not match[4]:
            break
    whole = position == len(record.raw) and len(leading) > 1
    return whole and all(leading[1:]), whole and all(trailing[:-1])
