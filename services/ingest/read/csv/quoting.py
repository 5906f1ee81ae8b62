r"""How a record of delimited text is split: RFC 4180, and what is made of text that breaks it.

The rules for what RFC 4180 forbids:
- a quote inside an unquoted field is a plain character (`5" pipe`);
- a line with text behind a closing quote (`"a"b`) cannot be split, and is refused;
- a quoted field over several lines whose closing quote is followed by more text, or that is
  never closed, was never a quoted field: only its first line is refused, and reading goes on with
  the next line, so that one stray quote does not swallow the clean rows behind it.
Lines end with LF or CRLF.
"""

import re
from dataclasses import dataclass
from enum import Enum

from services.ingest.plan.names import COLUMN_LIMIT, REPORT_COLUMNS

LF = b"\n"
FIELDS_LIMIT = COLUMN_LIMIT + len(REPORT_COLUMNS) + 1
"""No record with more fields fits a table; it is not split beyond one field more."""
SWAPPED = b"\x1f"
"""ASCII's unit separator, which stands in for a delimiter of several bytes."""
BLANKS = b" \t"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How fields are told apart; single bytes, which are ASCII. No `quote`: none is special.

    A delimiter of several bytes is swapped for `SWAPPED` before the text is cut; `swapped` is it.
    """

    delimiter: bytes = b","
    quote: bytes | None = b'"'
    swapped: str | None = None
    trim: bool = False
    """Blanks around delimiters and quotes are left out."""
    comment: bytes | None = None
    """Lines that begin with it are left out, except within a quoted field."""
    backslash: bool = False
    """A backslash takes the meaning from the character behind it: see `escaped`."""

    @property
    def written(self) -> str:
        """The delimiter as it stands in the file."""
        return self.swapped or self.delimiter.decode()

    @property
    def blanks(self) -> bytes:
        """The characters that `trim` leaves out."""
        return BLANKS.replace(self.delimiter, b"")


class Cut(Enum):
    """Why no record could be split off."""

    INCOMPLETE = "incomplete"
    """The bytes end within the record."""
    UNCLOSED = "unclosed"
    """A quoted field on the first line is not closed as it should be."""
    STRAY = "stray"
    """Text follows a closing quote."""


@dataclass(frozen=True, slots=True)
class Split:
    """One record: its fields and where the next record starts.

    A null field is an empty unquoted one.
    """

    fields: tuple[bytes | None, ...]
    end: int


class Splitter:
    """Splits single records exactly; slow, for the few that are not plain."""

    def __init__(self, dialect: Dialect) -> None:
        delimiter = re.escape(dialect.delimiter)
        self._delimiter = dialect.delimiter[0]
        self._quote = dialect.quote
        self._trimmed = dialect.blanks if dialect.trim else b""
        self._blanks = re.compile(rb"[" + re.escape(dialect.blanks) + rb"]*+")
        self._plain = re.compile(rb"[^" + delimiter + rb"\n]*+")
        if dialect.quote is not None:
            quote = re.escape(dialect.quote)
            # Possessive, or a field of some megabytes would cost as many backtracking points.
            body = rb"[^Q]*+(?:QQ[^Q]*+)*+".replace(b"Q", quote)
            self._quoted = re.compile(quote + body + quote)
            field = rb"(?:" + quote + body + quote + rb"|[^" + delimiter + quote + rb"\n]*+)"
            self._regular = re.compile(field + rb"(?:" + delimiter + field + rb")*+\r?\n")

    def regular_end(self, text: bytes, start: int) -> int:
        """End of the record at `start` when it keeps to RFC 4180 and ends with LF, else -1."""
        if self._quote is None:
            return text.find(LF, start) + 1 or -1
        if self._trimmed:
            return -1
        match = self._regular.match(text, start)
        return match.end() if match else -1

    def split(self, text: bytes, start: int, *, final: bool) -> Split | Cut:
        """Split the record at `start`; `final`: nothing follows, and the last LF may lack."""
        fields: list[bytes | None] = []
        position, size = start, len(text)
        while True:
            opening = self._skip_blanks(text, position)
            if self._quote is not None and text.startswith(self._quote, opening):
                match = self._quoted.match(text, opening)
                if match is None:
                    return Cut.UNCLOSED if final else Cut.INCOMPLETE
                after = match.end()
                if after >= size and not final:
                    return Cut.INCOMPLETE  # the next byte may be the other half of a doubled quote
                value = match.group()[1:-1].replace(self._quote * 2, self._quote)
                behind = self._match_plain(text, after)
                position = after + len(behind)
                if self._trim(self._without_cr(behind, text, position)):
                    return Cut.UNCLOSED if LF in value else Cut.STRAY
                fields.append(value)
            else:
                cell = self._match_plain(text, position)
                position += len(cell)
                cell = self._without_cr(cell, text, position)
                fields.append(self._trim(cell) or None)
            if position >= size:
                return Split(tuple(fields), size) if final else Cut.INCOMPLETE
            if text[position] != self._delimiter:
                return Split(tuple(fields), position + 1)
            position += 1
            if len(fields) > FIELDS_LIMIT:
                return self._cut_short(text, position, fields, final=final)

    def _cut_short(
        self, text: bytes, position: int, fields: list[bytes | None], *, final: bool
    ) -> Split | Cut:
        """A record of too many fields: it ends where its line does, if not as it should."""
        end = self.regular_end(text, position)
        if end < 0:
            end = text.find(LF, position) + 1
        if not end and not final:
            return Cut.INCOMPLETE
        return Split(tuple(fields), end or len(text))

    def _trim(self, cell: bytes) -> bytes:
        return cell.strip(self._trimmed) if self._trimmed else cell

    def _skip_blanks(self, text: bytes, position: int) -> int:
        if not self._trimmed:
            return position
        match = self._blanks.match(text, position)
        assert match is not None
        return match.end()

    def _match_plain(self, text: bytes, position: int) -> bytes:
        match = self._plain.match(text, position)
        assert match is not None
        return match.group()

    def _without_cr(self, cell: bytes, text: bytes, end: int) -> bytes:
        at_line_end = end >= len(text) or text[end] == LF[0]
        return cell[:-1] if at_line_end and cell.endswith(b"\r") else cell
