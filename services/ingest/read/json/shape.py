"""Where the records of a JSON text are: in an array, in a document's, or one after the other."""

import re
from dataclasses import dataclass
from enum import Enum

from services.ingest.errors import OptionError
from services.ingest.read.csv.blocks import RAW_LIMIT
from services.ingest.read.errors import RecordPathNeededError
from services.ingest.read.json.cutting import ArrayCutter, Cutter, LineCutter, ValueCutter
from services.ingest.read.json.documents import by_keys, says_failure
from services.ingest.read.limits import Limits
from shared.contracts.problem import FieldError
from shared.values.numbers import JsonValue, scan_json

WHOLE = "."
"""The path of a document that is a record itself."""
_SPACE = " \t\r\n\ufeff"
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]')
_LISTED = 20
LOOKED_THROUGH = 65_536
"""So many characters are looked through for lines of several values."""


class Layout(Enum):
    """How records stand in a text."""

    ARRAY = "array"
    LINES = "lines"
    NUMBERED = "numbered"
    """In lines, several of which hold more than one."""
    VALUES = "values"


@dataclass(frozen=True, slots=True)
class Shape:
    """The layout; `start`: of the array in a document, in characters, and `path` to it."""

    layout: Layout
    start: int = 0
    path: str | None = None

    def cutter(self, limits: Limits) -> Cutter:
        """What cuts its values off, from `start` on."""
        if self.layout is Layout.ARRAY:
            return ArrayCutter(limits, inside=self.path is not None)
        if self.layout is Layout.VALUES:
            return ValueCutter(limits)
        return LineCutter(limits, numbered=self.layout is Layout.NUMBERED)


def shape_of(
    text: str,
    *,
    path: str | None,
    lines: bool,
    complete: bool,
    known: frozenset[str] = frozenset(),
) -> Shape:
    """The shape of a text with this head.

    `path`: where the caller says that the records are; `lines`: the caller or the suffix says
    that there is one in each line; `complete`: nothing follows; `known`: names of the table's
    columns. Raises OptionError, RecordPathNeededError.
    """
    if path is not None and path != WHOLE:
        return _at(path, text)
    begins = text.lstrip(_SPACE)[:1]
    if begins == "[" and not lines and not _has_arrays_in_lines(text):
        return Shape(Layout.ARRAY)
    first, further, value = _first_value(text)
    # Its members are all columns of the table.
    is_record = isinstance(value, dict) and known.issuperset(value)
    if path is None and not further and says_failure(value) and not is_record:
        detail = (
            "the document reads like a service's answer that something failed, and holds no rows:"
            f" {text.strip(_SPACE)[:RAW_LIMIT]}; send `record_path={WHOLE}` if it is a record"
        )
        raise _path_error(detail)
    if lines or (first == "line" and further):
        return Shape(Layout.NUMBERED if _has_several(text, complete=complete) else Layout.LINES)
    if path == WHOLE or (first is not None and further):
        return Shape(Layout.VALUES)
    arrays = arrays_in(text)
    found = [array for array in arrays if array.holds_records]
    if len(found) == 1:
        return Shape(Layout.ARRAY, found[0].start, found[0].path)
    if found:
        raise _path_needed("records may be at {}: send the file again with one of them", found)
    empty = [array for array in arrays if array.is_empty]
    if empty and first is not None and not is_record:
        raise _path_needed(
            "the document is a record itself, or has none at {}: send the file again with"
            f" `{WHOLE}`, or with the place of the records",
            empty,
        )
    if not lines and by_keys(value) and not is_record:
        raise _path_error(
            "the document holds its values by the names of columns or rows, and has no list of"
            f' records: write one (`orient="records"` in pandas), or send `record_path={WHOLE}`'
            " if the document is one record"
        )
    return Shape(Layout.LINES if first == "line" else Layout.VALUES)


def _first_value(text: str) -> tuple[str | None, bool, JsonValue]:
    """Whether the first value is a "line" or goes over several ("value"), if more follows, and it.

    None where it does not end in the text, or is broken.
    """
    start = len(text) - len(text.lstrip(_SPACE))
    line = text.find("\n", start)
    line = len(text) if line < 0 else line
    try:
        value, end = scan_json(text, start)
    except (StopIteration, ValueError, RecursionError):
        # A broken first line is refused as a line where others are whole.
        lines = _is_value(text[line:].split("\n", 2)[1:2])
        return ("line", True, None) if lines else (None, False, None)
    return "line" if end <= line else "value", bool(text[end:].strip(_SPACE + ",")), value


def _is_value(lines: list[str]) -> bool:
    text = (lines or [""])[0].strip()
    if text[:1] not in ("{", "["):
        return False
    try:
        _, end = scan_json(text, 0)
    except (StopIteration, ValueError, RecursionError):
        return False
    return end == len(text)


def _has_arrays_in_lines(text: str) -> bool:
    """Whether a text that begins with `[` has an array in each of its first lines."""
    lines = [line for line in text.strip(_SPACE).split("\n", 3)[:2] if line.strip()]
    return len(lines) > 1 and all(_is_value([line]) and line.strip()[:1] == "[" for line in lines)


def _has_several(text: str, *, complete: bool) -> bool:
    """Whether some line holds more than one value, or a comma behind it."""
    # Behind its first lines a file that holds several begins the reading again.
    complete = complete and len(text) <= LOOKED_THROUGH
    lines = text[:LOOKED_THROUGH].split("\n")
    for line in lines if complete else lines[:-1]:
        stripped = line.strip(" \t\r")
        if stripped:
            try:
                _, end = scan_json(stripped, 0)
            except (StopIteration, ValueError, RecursionError):
                continue
            if end != len(stripped):
                return True
    return False


@dataclass(frozen=True, slots=True)
class FoundArray:
    """An array that is reached by keys alone, and whether it begins with an object or array."""

    path: str
    start: int
    holds_records: bool
    is_empty: bool


def arrays_in(text: str) -> list[FoundArray]:
    """The arrays of a document that are no part of another array, as far as the text goes."""
    found: list[FoundArray] = []
    keys: list[str] = []
    inside = 0  # how deep within an array
    key, last = "", ""
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark[0] == '"':
            last = mark[1:-1]
        elif inside:
            inside += (mark in "[{") - (mark in "]}")
        elif mark == ":":
            key = last
        elif mark == "{":
            keys.append(key)
        elif mark == "}":
            if keys:
                key = keys.pop()
        elif mark == "[":
            path = ".".join([*keys[1:], key])
            first = text[token.end() :].lstrip(_SPACE)[:1]
            found.append(FoundArray(path, token.start(), first in ("{", "["), first == "]"))
            inside = 1
    return found


def _at(path: str, text: str) -> Shape:
    found = arrays_in(text)
    for array in found:
        if array.path == path:
            return Shape(Layout.ARRAY, array.start, path)
    there = ", ".join(array.path for array in found[:_LISTED]) or "none"
    raise OptionError.of(
        "record_path",
        "invalid_option",
        f"the first part of the file has no array at {path}; it has: {there}",
    )


def _path_needed(sentence: str, found: list[FoundArray]) -> RecordPathNeededError:
    paths = ", ".join(array.path for array in found[:_LISTED])
    return _path_error(f"{sentence.format(paths)} as `record_path`")


def _path_error(detail: str) -> RecordPathNeededError:
    return RecordPathNeededError(
        detail,
        errors=[FieldError(field="record_path", code=RecordPathNeededError.code, message=detail)],
    )
