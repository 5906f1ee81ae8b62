"""JSON values cut off one by one from text that arrives in pieces: an array may have any size."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import polars as pl

from services.ingest.domain.outcome import RejectCode
from services.ingest.read.csv.blocks import RAW_LIMIT
from services.ingest.read.errors import DamagedFileError
from services.ingest.read.json.flat import objects_in
from services.ingest.read.json.skipping import ValueEnd, has_too_many_values
from services.ingest.read.limits import MIB, Limits
from shared.values.numbers import VALUES_LIMIT, JsonValue, scan_json

_UNFINISHED = re.compile(
    r"[ \t\n\r]*(?:t|tr|tru|f|fa|fal|fals|n|nu|nul|-|\.|[eE][+-]?|u[0-9a-fA-F]{0,3})?[ \t\n\r]*"
)
"""What may stand at the end of a text that breaks off within a word, a number or an escape."""
_BETWEEN = re.compile("[ \t\n\r,\ufeff]*")
_AFTER_ELEMENT = re.compile(r"[ \t\n\r]*([,\]])[ \t\n\r]*")


@dataclass(frozen=True, slots=True)
class Element:
    """A value and where it stands: its line, or in an array its number from 1."""

    line: int
    value: JsonValue
    raw: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A line that is not JSON."""

    line: int
    reason: str
    raw: str
    code: RejectCode = field(default=RejectCode.TYPE_MISMATCH, compare=False)
    several: bool = field(default=False, compare=False)
    """It holds several values: the file has to be read by their numbers."""


class Cutter(Protocol):
    """Cuts values off text that arrives in pieces; CPU-bound, so call it in a thread."""

    def feed(self, text: str, *, final: bool) -> Iterator[Element | Broken]:
        """The values that are complete."""
        ...


@runtime_checkable
class FlatCutter(Cutter, Protocol):
    """A cutter that gives many values at a time, to be read by polars if they are flat."""

    def flat(self, text: str, *, final: bool) -> tuple[pl.Series, pl.Series] | None:
        """Values that may be flat, and their numbers; None leaves them to `feed`."""
        ...

    def read(self, text: str, number: int) -> Element | Broken:
        """One of the values that `flat` gave, exactly."""
        ...


TOO_LONG = RejectCode.TOO_LONG
MANY = f"{{what}} has more than {VALUES_LIMIT:,} values in it"
DEEP = "{what} is nested too deep"
LARGE = "{what} is broken, or larger than {limit} MiB"


class LineCutter:
    """One value per line; `numbered`: any number of them, counted from 1 in place of lines."""

    def __init__(self, limits: Limits, *, numbered: bool = False) -> None:
        self._limits = limits
        self._numbered = numbered
        self._rest = ""
        self._line = 0
        self._skipping = False

    def feed(self, text: str, *, final: bool) -> Iterator[Element | Broken]:
        """The values of the lines that are complete."""
        lines = (self._rest + text).split("\n")
        self._rest = "" if final else lines.pop()
        for line in lines:
            if self._skipping:
                self._skipping = False
                self._line += 1
                continue
            stripped = line.strip(" \t\r")
            if self._numbered:
                yield from self._values(stripped)
                continue
            self._line += 1
            if stripped:
                yield self._read(stripped, self._line)
        if len(self._rest) > self._limits.record_bytes:
            if not self._skipping:
                reason = f"the line is longer than {self._limits.record_bytes // MIB} MiB"
                raw = self._rest[:RAW_LIMIT]
                yield Broken(self._line + 1, reason, raw, code=RejectCode.TOO_LONG)
            self._rest, self._skipping = "", True

    def flat(self, text: str, *, final: bool) -> tuple[pl.Series, pl.Series] | None:
        """All complete lines that are not blank, and their numbers; None leaves them to `feed`."""
        if self._numbered:
            return None
        text = self._rest + text
        end = len(text) if final else text.rfind("\n") + 1
        if self._skipping or not end or len(text) - end > self._limits.record_bytes:
            return None
        block = text[:end].removesuffix("\n")
        lines = pl.Series([block]).str.split("\n").explode()
        numbers = pl.int_range(self._line + 1, self._line + 1 + len(lines), eager=True)
        self._rest = text[end:]
        self._line += len(lines)
        kept = lines.str.strip_chars(" \t\r") != ""
        return lines.filter(kept), numbers.filter(kept)

    def read(self, line: str, number: int) -> Element | Broken:
        """One of the lines that `flat` gave, exactly."""
        return self._read(line.strip(" \t\r"), number)

    def _read(self, line: str, number: int) -> Element | Broken:
        if has_too_many_values(line):
            return Broken(number, MANY.format(what="the line"), line[:RAW_LIMIT], code=TOO_LONG)
        try:
            value, end = scan_json(line, 0)
        except StopIteration:
            return Broken(number, "the line is not JSON", line[:RAW_LIMIT])
        except ValueError as error:
            return Broken(number, f"the line is not JSON: {error}", line[:RAW_LIMIT])
        except RecursionError:
            return Broken(number, "the line is nested too deep", line[:RAW_LIMIT])
        if end != len(line):
            reason = f"the line has more than one value, from character {end + 1}"
            return Broken(number, reason, line[:RAW_LIMIT], several=True)
        return Element(number, value, line)

    def _values(self, line: str) -> Iterator[Element | Broken]:
        """The values of a line up to one that is broken."""
        if has_too_many_values(line):
            self._line += 1
            yield self._read(line, self._line)
            return
        position = 0
        while position < len(line):
            self._line += 1
            try:
                value, end = scan_json(line, position)
            except (StopIteration, ValueError, RecursionError):
                yield self._read(line[position:], self._line)
                return
            yield Element(self._line, value, line[position:end])
            position = len(line) - len(line[end:].lstrip(" \t\r,"))


class Skip:
    """A value that is left out as it comes: refused at once, and then looked through to its end."""

    def __init__(self, broken: Broken) -> None:
        self.broken = broken
        self._end = ValueEnd()

    def within(self, text: str, position: int) -> int | None:
        """The place behind the value; None where it goes on in the next piece."""
        return self._end.within(text, position)


def unread(
    text: str, position: int, number: int, error: Exception, *, what: str, limits: Limits
) -> Skip | None:
    """What is to be left out of a text whose value at `position` cannot be read, if anything."""
    raw = text[position : position + RAW_LIMIT]
    if isinstance(error, RecursionError):
        return Skip(Broken(number, DEEP.format(what=what), raw))
    if len(text) - position > limits.record_bytes:
        reason = LARGE.format(what=what, limit=limits.record_bytes // MIB)
        return Skip(Broken(number, reason, raw, code=TOO_LONG))
    if has_too_many_values(text[position:]):
        return Skip(Broken(number, MANY.format(what=what), raw, code=TOO_LONG))
    return None


class ValueCutter:
    """Values one behind the other, with any white space between them, counted from 1."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._rest = ""
        self._number = 0
        self._skip: Skip | None = None

    def feed(self, text: str, *, final: bool) -> Iterator[Element | Broken]:
        """The values that are complete; raises DamagedFileError."""
        text, self._rest = self._rest + text, ""
        position = 0 if self._skip else _BETWEEN.match(text, 0).end()  # type: ignore[union-attr] # it may be empty
        while position < len(text) or (final and self._skip):
            if self._skip is not None:
                end = self._skip.within(text, position)
                if end is None:
                    if final:
                        raise DamagedFileError(self._skip.broken.reason)
                    return
                self._skip = None
            else:
                try:
                    value, end = scan_json(text, position)
                except (StopIteration, ValueError, RecursionError) as error:
                    yield from self._wait(text, position, error, final=final)
                    if self._skip is not None:
                        continue
                    return
                if end == len(text) and not final:  # a number may go on
                    self._rest = text[position:]
                    return
                self._number += 1
                yield Element(self._number, value, text[position : min(end, position + RAW_LIMIT)])
            position = _BETWEEN.match(text, end).end()  # type: ignore[union-attr] # as above

    def _wait(self, text: str, position: int, error: Exception, *, final: bool) -> Iterator[Broken]:
        number = self._number + 1
        self._skip = unread(
            text, position, number, error, what=f"value {number}", limits=self._limits
        )
        if self._skip is not None:
            self._number = number
            yield self._skip.broken
        elif final:
            raise DamagedFileError(f"value {number} is not JSON, or breaks off") from error
        else:
            self._rest = text[position:]


class ArrayCutter:
    """The elements of one array; `inside`: of a document, whose text behind it is left out."""

    def __init__(self, limits: Limits, *, inside: bool = False) -> None:
        self._limits = limits
        self._inside = inside
        self._rest = ""
        self._number = 0
        self._state = "before"
        self._skip: Skip | None = None

    def feed(self, text: str, *, final: bool) -> Iterator[Element | Broken]:
        """The elements that are complete; raises DamagedFileError."""
        text, self._rest = self._rest + text, ""
        position = self._opened(text, final=final) if text or final else 0
        if self._skip is None and self._state == "elements":
            position = len(text) - len(text[position:].lstrip(" \t\n\r"))
        while position < len(text) and self._state not in ("before", "after"):
            if self._skip is not None:
                behind = self._skip.within(text, position)
                if behind is None:
                    break
                self._skip, self._state, position = None, "between", behind
            if self._state == "between":
                position = self._continued(text, position, final=final)
                continue
            try:
                value, end = scan_json(text, position)
            except (StopIteration, ValueError, RecursionError) as error:
                self._skip = self._unread(text, position, error)
                if self._skip is None:
                    self._wait(text, position, error, final=final)
                    return
                self._number += 1
                yield self._skip.broken
                continue
            after = _AFTER_ELEMENT.match(text, end)
            if after is None:
                self._wait_for_comma(text, position, end, final=final)
                return
            self._number += 1
            yield Element(self._number, value, text[position : min(end, position + RAW_LIMIT)])
            position = after.end()
            if after[1] == "]":
                self._state = "after"
        self._refuse_end(text, position, final=final)

    def flat(self, text: str, *, final: bool) -> tuple[pl.Series, pl.Series] | None:
        """Flat elements in a row, and their numbers; None leaves them to `feed`.

        What is behind them, with `final` the end of the array too, is for `feed`.
        """
        del final
        if self._state not in ("elements", "between") or self._skip is not None:
            return None
        found = objects_in(self._rest + text, further=self._state == "between")
        if found is None:
            return None
        elements, self._rest = found
        self._state = "between"
        first = self._number + 1
        self._number += len(elements)
        return elements, pl.int_range(first, first + len(elements), eager=True)

    def read(self, element: str, number: int) -> Element | Broken:
        """One of the elements that `flat` gave, exactly; raises DamagedFileError."""
        try:
            value, end = scan_json(element, 0)
        except (StopIteration, ValueError) as error:
            raise _not_json(number, error) from error
        assert end == len(element)
        return Element(number, value, element[:RAW_LIMIT])

    def _continued(self, text: str, position: int, *, final: bool) -> int:
        """The position of the next element, behind the comma."""
        found = _AFTER_ELEMENT.match(text, position)
        if found is None:
            if text[position:].strip(" \t\n\r"):
                raise DamagedFileError(f"a comma is missing behind element {self._number}")
            if final:
                self._broken_off()
            self._rest = text[position:]
            return len(text)
        self._state = "after" if found[1] == "]" else "elements"
        return found.end()

    def _opened(self, text: str, *, final: bool) -> int:
        """The position behind `[`, and of the array's end if it is empty."""
        if self._state != "before":
            return 0
        found = re.match(r"[ \t\n\r\ufeff]*\[[ \t\n\r]*", text)
        if found is None:
            if final or text.strip():
                raise DamagedFileError("the file does not begin with a JSON array")
            return len(text)
        if found.end() == len(text) and not final:
            self._rest = text
            return len(text)
        self._state = "elements"
        if text.startswith("]", found.end()):
            self._state = "after"
            return found.end() + 1
        return found.end()

    def _refuse_end(self, text: str, position: int, *, final: bool) -> None:
        """Raise DamagedFileError where the text cannot end as it does."""
        if self._state == "after" and not self._inside and text[position:].strip(" \t\n\r"):
            raise DamagedFileError("there is more text behind the end of the JSON array")
        if final and self._skip is not None:
            raise DamagedFileError(self._skip.broken.reason)
        if final and self._state != "after":
            self._broken_off()

    def _unread(self, text: str, position: int, error: Exception) -> Skip | None:
        number = self._number + 1
        what = f"element {number}"
        return unread(text, position, number, error, what=what, limits=self._limits)

    def _wait(self, text: str, position: int, error: Exception, *, final: bool) -> None:
        """Keep the beginning of an element; raises DamagedFileError where nothing can mend it."""
        number = self._number + 1
        if final and not _ends_early(text, error):
            if text.startswith("]", position):
                raise DamagedFileError(f"a comma behind element {self._number} ends the array")
            raise _not_json(number, error) from error
        if final:
            self._broken_off()
        self._rest = text[position:]

    def _wait_for_comma(self, text: str, position: int, end: int, *, final: bool) -> None:
        """Keep an element behind which neither a comma nor the end of the array stands yet."""
        if final:
            self._number += 1
            if text[end:].strip(" \t\n\r"):
                raise DamagedFileError(f"a comma is missing behind element {self._number}")
            self._broken_off()
        self._rest = text[position:]

    def _broken_off(self) -> None:
        raise DamagedFileError(f"the JSON array breaks off behind element {self._number}")


def _not_json(number: int, error: Exception) -> DamagedFileError:
    message = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
    reason = f": {message}" if isinstance(error, ValueError) else ""
    return DamagedFileError(f"element {number} is not JSON{reason}")


def _ends_early(text: str, error: Exception) -> bool:
    """Whether the scanner missed nothing but the rest of the text."""
    if isinstance(error, json.JSONDecodeError):
        place = len(text) if error.msg.startswith("Unterminated string") else error.pos
    else:
        place = error.value if isinstance(error, StopIteration) else 0
    return _UNFINISHED.fullmatch(text, place) is not None
