"""How a record of delimited text is split: RFC 4180, and what is made of text that breaks it.

The rules for what RFC 4180 forbids:
- a quote inside an unquoted field is a plain character (`5" pipe`);
- text after a closing quote on the same line is kept as it stands (`"a"b` is `ab`);
- a quoted field over several lines whose closing quote is followed by more text, or that is
  never closed, was never a quoted field: only its first line is refused, and reading goes on with
  the next line, so that one stray quote does not swallow the clean rows behind it.
Lines end with LF or CRLF.
"""

import re
from dataclasses import dataclass
from enum import Enum

LF = b"\n"
SWAPPED = b"\x1f"
"""ASCII's unit separator: no text has it."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How fields are told apart; single bytes, which are ASCII. No `quote`: none is special.

    A delimiter outside ASCII is swapped for `SWAPPED` before the text is cut; `swapped` is it.
    """

    delimiter: bytes = b","
    quote: bytes | None = b'"'
    swapped: str | None = None

    @property
    def written(self) -> str:
        """The delimiter as it stands in the file."""
        return self.swapped or self.delimiter.decode()


class Cut(Enum):
    """Why no record could be split off."""

    INCOMPLETE = "incomplete"
    """The bytes end within the record."""
    BROKEN = "broken"
    """A quoted field on the first line is not closed as it should be."""


@dataclass(frozen=True, slots=True)
class Split:
    """One record: its fields and where the next record starts.

    A null field is an empty unquoted one.
    """

    fields: tuple[bytes | None, ...]
    end: int
    regular: bool
    """Whether it keeps to RFC 4180, so that any parser reads it the same way."""


class Splitter:
    """Splits single records exactly; slow, for the few that are not plain."""

    def __init__(self, dialect: Dialect) -> None:
        delimiter = re.escape(dialect.delimiter)
        self._delimiter = dialect.delimiter[0]
        self._quote = dialect.quote
        self._plain = re.compile(rb"[^" + delimiter + rb"\n]*+")
        if dialect.quote is not None:
            quote = re.escape(dialect.quote)
            # Possessive, or a field of some megabytes would cost as many backtracking points.
            body = rb"[^Q]*+(?:QQ[^Q]*+)*+".replace(b"Q", quote)
            self._quoted = re.compile(quote + body + quote)
            field = rb"(?:" + quote + body + quote + rb"|[^" + delimiter + quote + rb"\n]*+)"
            self._regular = re.compile(field + rb"(?:" + delimiter + field + rb")*+\r?\n")

    def is_regular(self, text: bytes, start: int) -> int:
        """End of the record at `start` when it keeps to RFC 4180 and ends with LF, else -1."""
        if self._quote is None:
            return text.find(LF, start) + 1 or -1
        found = self._regular.match(text, start)
        return found.end() if found else -1

    def split(self, text: bytes, start: int, *, final: bool) -> Split | Cut:
        """Split the record at `start`; `final`: nothing follows, and the last LF may lack."""
        fields: list[bytes | None] = []
        position, size, regular = start, len(text), True
        while True:
            if self._quote is not None and text.startswith(self._quote, position):
                found = self._quoted.match(text, position)
                if found is None:
                    return Cut.BROKEN if final else Cut.INCOMPLETE
                after = found.end()
                if after >= size and not final:
                    return Cut.INCOMPLETE  # the next byte may be the other half of a doubled quote
                value = found.group()[1:-1].replace(self._quote * 2, self._quote)
                tail = self._match_plain(text, after)
                position = after + len(tail)
                tail = self._without_cr(tail, text, position)
                if tail:
                    if LF in value:
                        return Cut.BROKEN
                    regular = False
                fields.append(value + tail)
            else:
                cell = self._match_plain(text, position)
                position += len(cell)
                cell = self._without_cr(cell, text, position)
                if self._quote is not None and self._quote in cell:
                    regular = False
                fields.append(cell or None)
            if position >= size:
                return Split(tuple(fields), size, regular) if final else Cut.INCOMPLETE
            if text[position] != self._delimiter:
                return Split(tuple(fields), position + 1, regular)
            position += 1

    def _match_plain(self, text: bytes, position: int) -> bytes:
        found = self._plain.match(text, position)
        assert found is not None
        return found.group()

    def _without_cr(self, cell: bytes, text: bytes, end: int) -> bytes:
        at_line_end = end >= len(text) or text[end] == LF[0]
        return cell[:-1] if at_line_end and cell.endswith(b"\r") else cell
