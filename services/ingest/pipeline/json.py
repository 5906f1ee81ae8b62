"""JSON text becomes frames: the elements of one array, or one value per line (NDJSON).

Scalars become the text that stands in the file (`1.10` stays `1.10`), so that the type table
applies to them as to any cell; for JSON columns a value keeps its JSON spelling. Values are cut
off one after the other from the text that has arrived, so that an array may have any size.
"""

import codecs
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import polars as pl

from services.ingest.domain import FileFormat, RejectCode
from services.ingest.pipeline.blocks import RAW_LIMIT
from services.ingest.pipeline.frame import CellFault, Frame, RefusedRow
from services.ingest.pipeline.limits import MIB, Limits
from services.ingest.pipeline.refusals import DamagedFileError, RecordTooLargeError

JsonValue: TypeAlias = "str | bool | list[JsonValue] | dict[str, JsonValue] | None"
"""A parsed value; numbers are `Number`s, that is their text."""

_SPACE = re.compile(r"[ \t\n\r]*")
_AFTER_ELEMENT = re.compile(r"[ \t\n\r]*([,\]])[ \t\n\r]*")
_SURROGATE = re.compile("[\ud800-\udfff]")
NESTED = "an object or array is no plain cell"


class Number(str):
    """A number as it was written."""

    __slots__ = ()


class LateColumnError(Exception):
    """A column with a default turns up behind the head of the file, which left it out.

    The reading starts again with it: a column that is copied at all cannot keep its default.
    """

    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.column = column


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


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


# The C scanner; `decode` would add a Python function to every value.
_scan = json.JSONDecoder(
    parse_float=Number, parse_int=Number, parse_constant=_refuse_constant
).scan_once  # type: ignore[attr-defined]


class LineCutter:
    """One value per line."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._rest = ""
        self._line = 0
        self._skipping = False

    def feed(self, text: str, *, final: bool) -> Iterator[Element | Broken]:
        """The values of the lines that are complete."""
        lines = (self._rest + text).split("\n")
        self._rest = "" if final else lines.pop()
        for line in lines:
            self._line += 1
            if self._skipping:
                self._skipping = False
                continue
            stripped = line.strip(" \t\r")
            if stripped:
                yield self._read(stripped)
        if len(self._rest) > self._limits.record_bytes:
            if not self._skipping:
                reason = f"the line is longer than {self._limits.record_bytes // MIB} MiB"
                yield Broken(self._line + 1, reason, self._rest[:RAW_LIMIT])
            self._rest, self._skipping = "", True

    def _read(self, line: str) -> Element | Broken:
        try:
            value, end = _scan(line, 0)
        except StopIteration:
            return Broken(self._line, "the line is not JSON", line[:RAW_LIMIT])
        except ValueError as error:
            return Broken(self._line, f"the line is not JSON: {error}", line[:RAW_LIMIT])
        except RecursionError:
            return Broken(self._line, "the line is nested too deep", line[:RAW_LIMIT])
        if end != len(line):
            reason = f"the line has more than one value, from character {end + 1}"
            return Broken(self._line, reason, line[:RAW_LIMIT])
        return Element(self._line, value, line)


class ArrayCutter:
    """The elements of one array."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._rest = ""
        self._number = 0
        self._state = "before"

    def feed(self, text: str, *, final: bool) -> Iterator[Element | Broken]:
        """The elements that are complete; raises DamagedFileError, RecordTooLargeError."""
        text = self._rest + text
        self._rest = ""
        position = self._opened(text, final=final)
        while self._state == "elements" and position < len(text):
            try:
                value, end = _scan(text, position)
            except (StopIteration, ValueError, RecursionError) as error:
                self._wait(text, position, error, final=final)
                return
            after = _AFTER_ELEMENT.match(text, end)
            if after is None:
                self._wait(text, position, None, final=final)
                return
            self._number += 1
            yield Element(self._number, value, text[position : min(end, position + RAW_LIMIT)])
            position = after.end()
            if after[1] == "]":
                self._state = "after"
        if self._state == "after" and text[position:].strip(" \t\n\r"):
            raise DamagedFileError("there is more text behind the end of the JSON array")
        if final and self._state != "after":
            self._broken_off()

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

    def _wait(self, text: str, position: int, error: Exception | None, *, final: bool) -> None:
        """Keep an element that is not complete, if there is hope for it."""
        rest = text[position:]
        number = self._number + 1
        if final or isinstance(error, RecursionError):
            if isinstance(error, RecursionError):
                raise DamagedFileError(f"element {number} is nested too deep") from error
            if isinstance(error, json.JSONDecodeError):
                raise DamagedFileError(f"element {number} is not JSON: {error.msg}") from error
            if error is None and rest.strip():
                raise DamagedFileError(f"a comma is missing behind element {number}")
            self._broken_off()
        if len(rest) > self._limits.record_bytes:
            raise RecordTooLargeError(
                f"element {number} is broken, or larger than {self._limits.record_bytes // MIB} MiB"
            )
        self._rest = rest

    def _broken_off(self) -> None:
        raise DamagedFileError(f"the JSON array breaks off behind element {self._number}")


@dataclass
class JsonReader:
    """Reads UTF-8 pieces into frames of `String` columns; use it in a thread.

    `json_columns`: those whose cells keep their JSON spelling. `late_columns`: those that raise
    LateColumnError (with `all_columns` any does); any other key that is not in `columns` makes
    its row refused, unless it begins with `_`.
    """

    kind: FileFormat
    columns: Sequence[str]
    limits: Limits
    json_columns: frozenset[str] = frozenset()
    late_columns: frozenset[str] = frozenset()
    all_columns: bool = False
    _known_shapes: dict[tuple[str, ...], str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        array = self.kind is FileFormat.JSON
        self._cutter = ArrayCutter(self.limits) if array else LineCutter(self.limits)
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")

    def read(self, piece: bytes, *, final: bool) -> Frame:
        """The frame of what is complete now."""
        text = self._decoder.decode(piece, final)
        rows: list[dict[str, JsonValue]] = []
        lines: list[int] = []
        refused: list[RefusedRow] = []
        for element in self._cutter.feed(text, final=final):
            wrong = self._refused(element)
            if wrong is not None:
                refused.append(wrong)
            elif isinstance(element, Element) and isinstance(element.value, dict):
                rows.append(element.value)
                lines.append(element.line)
        return self._frame(rows, lines, refused)

    def _refused(self, element: Element | Broken) -> RefusedRow | None:
        code, column = RejectCode.TYPE_MISMATCH, None
        if isinstance(element, Broken):
            reason = element.reason
            code = RejectCode.TOO_LONG if "longer" in reason else code
        elif not isinstance(element.value, dict):
            reason = "the element is not an object"
        else:
            shape = tuple(element.value)
            if shape not in self._known_shapes:
                self._known_shapes[shape] = self._foreign_key(shape)
            column = self._known_shapes[shape]
            if column is None:
                return None
            code, reason = RejectCode.TOO_MANY_FIELDS, f"the file's head has no '{column}'"
        raw = element.raw[:RAW_LIMIT]
        if _SURROGATE.search(raw):
            code, reason = RejectCode.BAD_ENCODING, "bytes that are no text in the file's encoding"
        return RefusedRow(element.line, code, reason, _printable(raw), column)

    def _foreign_key(self, shape: tuple[str, ...]) -> str | None:
        known = set(self.columns)
        for key in shape:
            if key not in known and not key.startswith("_"):
                if self.all_columns or key in self.late_columns:
                    raise LateColumnError(key)
                return _printable(key)
        return None

    def _frame(
        self, rows: list[dict[str, JsonValue]], lines: list[int], refused: list[RefusedRow]
    ) -> Frame:
        faults: list[CellFault] = []
        quoted: dict[str, int] = {}
        columns = [self._column(name, rows, faults, quoted) for name in self.columns]
        return Frame(
            cells=pl.DataFrame(columns) if columns else pl.DataFrame(height=len(rows)),
            lines=pl.Series(lines, dtype=pl.Int64),
            refused=tuple(refused),
            faults=tuple(faults),
            strings=quoted,
        )

    def _column(
        self,
        name: str,
        rows: list[dict[str, JsonValue]],
        faults: list[CellFault],
        quoted: dict[str, int],
    ) -> pl.Series:
        values = [row.get(name) for row in rows]
        kinds = {value.__class__ for value in values}
        if name in self.json_columns:
            cells: list[str | None] = [None if v is None else spelled(v) for v in values]
        elif kinds <= {str, Number, type(None)}:
            cells = values  # type: ignore[assignment]
        else:
            cells = [_text(value) for value in values]
            faults += [
                CellFault(row, name, RejectCode.TYPE_MISMATCH, NESTED)
                for row, value in enumerate(values)
                if isinstance(value, list | dict)
            ]
        if str in kinds:
            quoted[name] = next(at for at, value in enumerate(values) if value.__class__ is str)
        try:
            return pl.Series(name, cells, dtype=pl.String)
        except UnicodeEncodeError:
            return pl.Series(name, self._without_surrogates(name, cells, faults), dtype=pl.String)

    def _without_surrogates(
        self, name: str, cells: list[str | None], faults: list[CellFault]
    ) -> list[str | None]:
        bad = [row for row, cell in enumerate(cells) if cell and _SURROGATE.search(cell)]
        message = "bytes that are no text in the file's encoding, or half of a character"
        known = {(fault.row, fault.column) for fault in faults}
        faults += [
            CellFault(row, name, RejectCode.BAD_ENCODING, message)
            for row in bad
            if (row, name) not in known
        ]
        return [None if cell is None else _printable(cell) for cell in cells]


def _text(value: JsonValue) -> str | None:
    """A scalar as its cell, anything else as JSON."""
    if value is None or isinstance(value, str):
        return value
    return spelled(value)


def spelled(value: JsonValue) -> str:
    """JSON text of a value, numbers as they were written."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=_SURROGATE.search(value) is not None)
    if isinstance(value, dict):
        inside = ", ".join(f"{spelled(key)}: {spelled(item)}" for key, item in value.items())
        return "{" + inside + "}"
    if isinstance(value, list):
        return "[" + ", ".join(spelled(item) for item in value) + "]"
    return {True: "true", False: "false", None: "null"}[value]


def _printable(text: str) -> str:
    r"""Bytes that were no text as `\xNN`, other halves of characters as `\uNNNN`."""
    escaped = all("\udc80" <= half <= "\udcff" for half in _SURROGATE.findall(text))
    encoded = text.encode("utf-8", "surrogateescape" if escaped else "backslashreplace")
    return encoded.decode("utf-8", "backslashreplace")


def head_columns(
    text: bytes, kind: FileFormat, limits: Limits, *, complete: bool
) -> tuple[str, ...]:
    """The keys of the elements in a file's head, in the order in which they turn up.

    Raises DamagedFileError, RecordTooLargeError.
    """
    cutter = ArrayCutter(limits) if kind is FileFormat.JSON else LineCutter(limits)
    decoded = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(text, complete)
    keys: dict[str, None] = {}
    for element in cutter.feed(decoded, final=complete):
        if isinstance(element, Element) and isinstance(element.value, dict):
            keys.update(dict.fromkeys(element.value))
    return tuple(_printable(key) for key in keys)
