"""JSON text becomes frames: the elements of one array, or one value per line (NDJSON).

Scalars become the text that stands in the file (`1.10` stays `1.10`), so that the type table
applies to them as to any cell; for JSON columns a value keeps its JSON spelling.
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain

import polars as pl

from services.ingest.domain.outcome import RejectCode
from services.ingest.plan.columns import ColumnPlan
from services.ingest.read.csv.blocks import RAW_LIMIT
from services.ingest.read.frame import CellFault, Frame, RefusedRow
from services.ingest.read.json.cutting import (
    Broken,
    Cutter,
    Element,
    FlatCutter,
)
from services.ingest.read.json.flat import (
    Template,
    absent_keys,
    first_string,
    read_flat,
    template_of,
)
from shared.values.numbers import (
    JsonValue,
    Number,
    Repeating,
    json_text,
    repeated_member,
)
from shared.values.texts import NULL_WORDS
from shared.values.types import TypeName

NESTED = "an object or array is no plain cell"
_SURROGATE = re.compile("[\ud800-\udfff]")
_KNOWN_SHAPES = 1_000
_LEARNT_FROM_ROWS = 1_000
_LEARNT_FROM_CHARACTERS = 65_536


class LateColumnError(Exception):
    """A column with a default first appears behind the head of the file.

    The reading starts again with it: a column that is copied at all cannot keep its default.
    """

    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.column = column


class SeveralValuesError(Exception):
    """A line holds several values: the reading starts again, and counts them."""


@dataclass
class JsonReader:
    """Reads UTF-8 pieces into frames of `String` columns; use it in a thread.

    Cells that go into JSON columns keep their JSON spelling. A name that the plan calls late
    raises LateColumnError (if it infers, any name does); any other key that it does not know
    makes its row refused.
    """

    plan: ColumnPlan
    cutter: Cutter
    header: tuple[str, ...] | None = None
    """The names of the columns where elements are arrays."""
    header_first: bool = False
    """The first element is the header."""
    _known_shapes: dict[tuple[str, ...], str | None] = field(default_factory=dict)
    _template: Template | None = None

    def __post_init__(self) -> None:
        self.columns = self.plan.names
        self._repeating = Repeating.count
        self.json_columns = frozenset(
            column.source for column in self.plan.columns if column.type.name is TypeName.JSON
        )
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")

    def read(self, piece: bytes, *, final: bool) -> Frame:
        """The frame of what is complete now."""
        text = self._decoder.decode(piece, final)
        before: list[Element | Broken] = []
        if self._template is None and len(text) > _LEARNT_FROM_CHARACTERS:
            before = list(self.cutter.feed(text[:_LEARNT_FROM_CHARACTERS], final=False))
            text = text[_LEARNT_FROM_CHARACTERS:]
            values = [element.value for element in before if isinstance(element, Element)]
            self._learn([value for value in values if isinstance(value, dict)])
        flat = self._flat(text, final=final)
        if flat is None:
            return self._exactly(chain(before, self.cutter.feed(text, final=final)))
        behind = self.cutter.feed("", final=final) if final else ()
        return _merged(flat, self._exactly(chain(before, flat.others, behind)))

    def _flat(self, text: str, *, final: bool) -> "_Flat | None":
        """The flat elements, read by polars; None when the text has to be read exactly."""
        if self._template is None or self.json_columns:
            return None
        if self.header is not None or not isinstance(self.cutter, FlatCutter):
            return None
        try:
            found = self.cutter.flat(text, final=final)
        except UnicodeEncodeError:  # bytes that are no text
            return None
        if found is None:
            return None
        elements, lines = found
        read = read_flat(elements, self._template, self.columns)
        if read is None:
            everything = zip(elements.to_list(), lines.to_list(), strict=True)
            none = pl.DataFrame(schema=dict.fromkeys(self.columns, pl.String()))
            self._template = None
            return _Flat(none, lines.clear(), {}, (self.cutter.read(*each) for each in everything))
        cells, mask = read
        absent: dict[str, pl.Series] = {}
        if self.plan.tells_absent:
            absent = absent_keys(elements.filter(mask), cells)
        strings: dict[str, int] = {}
        if self.plan.infers:
            taken = elements.filter(mask)
            first = {name: first_string(taken, cells[name]) for name in self.columns}
            strings = {name: row for name, row in first.items() if row is not None}
        left = zip(elements.filter(~mask).to_list(), lines.filter(~mask).to_list(), strict=True)
        if mask.sum() < len(mask) / 2:
            self._template = None
        others = (self.cutter.read(*each) for each in left)
        return _Flat(cells, lines.filter(mask), strings, others, absent)

    def _exactly(self, elements: Iterable[Element | Broken]) -> Frame:
        """The frame of elements that are parsed already."""
        rows: list[dict[str, JsonValue]] = []
        lines: list[int] = []
        refused: list[RefusedRow] = []
        for each in elements:
            if self.header_first:
                self.header_first = False
                continue
            element = self._named(each)
            if Repeating.count != self._repeating:
                element = _without_repetition(element)
            wrong = self._refused(element)
            if wrong is not None:
                refused.append(wrong)
            elif isinstance(element, Element) and isinstance(element.value, dict):
                rows.append(element.value)
                lines.append(element.line)
        self._learn(rows)
        return self._frame(rows, lines, refused)

    def _named(self, element: Element | Broken) -> Element | Broken:
        """An element that is an array, as an object by the names of the columns."""
        if self.header is None or isinstance(element, Broken):
            return element
        cells = element.value
        if not isinstance(cells, list):
            return element
        if len(cells) != len(self.header):
            reason = f"{len(cells)} fields, but the header has {len(self.header)}"
            few = len(cells) < len(self.header)
            code = RejectCode.TOO_FEW_FIELDS if few else RejectCode.TOO_MANY_FIELDS
            return Broken(element.line, reason, element.raw, code=code)
        return replace(element, value=dict(zip(self.header, cells, strict=True)))

    def _learn(self, rows: list[dict[str, JsonValue]]) -> None:
        """Make a template of what was read: most elements of a file are alike."""
        if not rows:
            return
        floats = frozenset(
            key
            for row in rows[:_LEARNT_FROM_ROWS]
            for key, value in row.items()
            if isinstance(value, Number) and not value.lstrip("-").isdigit()
        )
        if self._template is not None:
            floats |= self._template.floats
            if floats != self._template.floats:
                self._template = Template(self._template.keys, floats)
        else:
            widest = max(rows[:_LEARNT_FROM_ROWS], key=len)
            if not any(isinstance(value, list | dict) for value in widest.values()):
                self._template = template_of(widest, floats)

    def _refused(self, element: Element | Broken) -> RefusedRow | None:
        code, column = RejectCode.TYPE_MISMATCH, None
        if isinstance(element, Broken):
            if element.several:
                raise SeveralValuesError
            code, reason = element.code, element.reason
        elif not isinstance(element.value, dict):
            reason = "the element is not an object"
        else:
            shape = tuple(element.value)
            if shape not in self._known_shapes:
                if len(self._known_shapes) >= _KNOWN_SHAPES:
                    self._known_shapes.clear()
                self._known_shapes[shape] = self._foreign_key(shape)
            column = self._known_shapes[shape]
            if column is None:
                return None
            code, reason = RejectCode.TOO_MANY_FIELDS, f"the file's head has no '{column}'"
        raw = element.raw[:RAW_LIMIT]
        if _SURROGATE.search(raw):
            code, reason = RejectCode.BAD_ENCODING, "bytes that are no text in the file's encoding"
        return RefusedRow(element.line, code, reason, printable(raw), column)

    def _foreign_key(self, shape: tuple[str, ...]) -> str | None:
        known = set(self.columns)
        for key in shape:
            if key not in known:
                if self.plan.infers or key in self.plan.late:
                    raise LateColumnError(key)
                return printable(key)
        return None

    def _frame(
        self, rows: list[dict[str, JsonValue]], lines: list[int], refused: list[RefusedRow]
    ) -> Frame:
        faults: list[CellFault] = []
        quoted: dict[str, int] = {}
        # By name: polars gives a series whose name is empty one of its own.
        columns = {name: self._column(name, rows, faults, quoted) for name in self.columns}
        return Frame(
            cells=pl.DataFrame(columns) if columns else pl.DataFrame(height=len(rows)),
            lines=pl.Series(lines, dtype=pl.Int64),
            refused=tuple(refused),
            faults=tuple(faults),
            strings=quoted,
            absent=self._absent(rows),
        )

    def _absent(self, rows: list[dict[str, JsonValue]]) -> dict[str, pl.Series]:
        if not self.plan.tells_absent:
            return {}
        marks = {name: [name not in row for row in rows] for name in self.columns}
        return {
            name: pl.Series(mark, dtype=pl.Boolean) for name, mark in marks.items() if any(mark)
        }

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
            cells: list[str | None] = [None if v is None else json_text(v) for v in values]
        elif kinds <= {str, Number, type(None)}:
            cells = values  # type: ignore[assignment]
        else:
            cells = [text_of(value) for value in values]
            faults += [
                CellFault(row, name, RejectCode.TYPE_MISMATCH, NESTED)
                for row, value in enumerate(values)
                if isinstance(value, list | dict)
            ]
        if str in kinds:
            first = (at for at, each in enumerate(values) if _istext_of(each))
            if (row := next(first, None)) is not None:
                quoted[name] = row
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
        return [None if cell is None else printable(cell) for cell in cells]


@dataclass(frozen=True, slots=True)
class _Flat:
    """Elements that polars has read, and the others, to be read exactly."""

    cells: pl.DataFrame
    lines: pl.Series
    strings: dict[str, int]
    others: Iterator[Element | Broken]
    absent: dict[str, pl.Series] = field(default_factory=dict)


def _merged(flat: _Flat, others: Frame) -> Frame:
    """Both kinds of rows in the order of their lines."""
    if not others.cells.height:
        cells, lines = flat.cells, flat.lines
        return replace(others, cells=cells, lines=lines, strings=flat.strings, absent=flat.absent)
    lines = pl.concat([flat.lines, others.lines])
    order = lines.arg_sort()
    place = order.arg_sort().to_list()
    before = flat.lines.len()
    strings = {name: place[before + row] for name, row in others.strings.items()}
    for name, row in flat.strings.items():
        strings[name] = min(place[row], strings.get(name, place[row]))
    return replace(
        others,
        cells=pl.concat([flat.cells, others.cells])[order],
        lines=lines.gather(order),
        faults=tuple(replace(f, row=place[before + f.row]) for f in others.faults),
        strings=strings,
        absent={
            name: pl.concat(
                [
                    _marks(flat.absent.get(name), flat.cells.height),
                    _marks(others.absent.get(name), others.cells.height),
                ]
            )[order]
            for name in {**flat.absent, **others.absent}
        },
    )


def _marks(marks: pl.Series | None, height: int) -> pl.Series:
    nowhere = pl.repeat(value=False, n=height, dtype=pl.Boolean, eager=True)
    return nowhere if marks is None else marks


def _without_repetition(element: Element | Broken) -> Element | Broken:
    """An element, broken where a member of it is there twice: one of the values would be lost."""
    if isinstance(element, Broken) or (member := repeated_member(element.value)) is None:
        return element
    return Broken(element.line, f"'{member}' is there twice in one object", element.raw)


def _istext_of(value: JsonValue) -> bool:
    return value.__class__ is str and value not in NULL_WORDS


def text_of(value: JsonValue) -> str | None:
    """A scalar as its cell, anything else as JSON."""
    if value is None or isinstance(value, str):
        return value
    return json_text(value)


def printable(text: str) -> str:
    r"""Bytes that were no text as `\xNN`, other halves of characters as `\uNNNN`."""
    escaped = all("\udc80" <= half <= "\udcff" for half in _SURROGATE.findall(text))
    encoded = text.encode("utf-8", "surrogateescape" if escaped else "backslashreplace")
    return encoded.decode("utf-8", "backslashreplace")
