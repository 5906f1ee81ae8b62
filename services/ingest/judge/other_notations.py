"""The notations beside the type table's own in which a new table's column may be written.

Numbers with a comma or in groups, dates such as 31.12.2024: a column has one of them only if every
cell fits it, and some cell fits no other. Where two readings hold, the column stays text, and the
evidence names the options that decide.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from services.ingest.judge.exact import shown
from services.ingest.judge.hints import DATES, NUMBERS, TWO_DIGIT_DATES, WrittenDate, WrittenNumber
from services.ingest.judge.lossless import Against, lossless
from services.ingest.judge.rewriting import iso_texts, plain_numbers
from shared.values.dates import DateFormat, DatePattern
from shared.values.notation import Notation
from shared.values.types import TypeName

TRIED_CELLS = 20
"""So many cells are tried one by one, which rules nearly all notations out."""
WHOLE = (TypeName.INTEGER, TypeName.BIGINT)
_MARKS = "[.,]"
_DOUBTFUL = r"^[+-]?0[0-9]|^\+|[eE]"


@dataclass(frozen=True, slots=True)
class Proven:
    """The one notation in which every cell is of a type."""

    kind: TypeName
    notation: Notation
    because: str


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """More than one notation holds; `because` shows both readings of a cell."""

    because: str


@dataclass
class _Numbers:
    written: WrittenNumber
    kinds: list[TypeName] = field(default_factory=lambda: [*WHOLE, TypeName.NUMERIC])
    against: Against | None = None

    @property
    def alive(self) -> bool:
        return self.against is None

    @property
    def decimal(self) -> str:
        return self.written.format.decimal

    def reads(self, text: str) -> str | None:
        """The number that a cell is which is written as the type table writes none, or None."""
        number = self.written.format.plain(text)
        return None if number == text else number

    def narrow(self, cells: pl.Series, lines: pl.Series) -> None:
        rewritten = (
            cells.to_frame()
            .select(plain_numbers(pl.col(cells.name), self.written.format))
            .to_series()
        )
        doubtful = cells.str.contains(_DOUBTFUL)
        wrong = (rewritten.is_null() | doubtful).arg_true()
        if len(wrong):
            self.against = _against(cells, lines, wrong[0], self.written.options)
            return
        for kind in tuple(self.kinds):
            against = lossless(kind, rewritten, lines)
            if against is not None:
                self.kinds.remove(kind)
                if not self.kinds:
                    self.against = against


@dataclass
class _Dates:
    written: WrittenDate
    kinds: list[TypeName] = field(
        default_factory=lambda: [TypeName.DATE, TypeName.TIMESTAMP, TypeName.TIMESTAMPTZ]
    )
    against: Against | None = None

    @property
    def alive(self) -> bool:
        return self.against is None

    @property
    def pattern(self) -> DatePattern:
        return self.written.pattern

    @property
    def order(self) -> str:
        """Day, month and year in the order of the format; names of months are months."""
        letters = re.findall("%(.)", self.pattern.strptime)
        return "".join(letters).replace("b", "m").replace("B", "m").lower()

    def reads(self, text: str) -> str | None:
        """The day of a cell, or None."""
        day = _day(self, text)
        return None if day is None else day.isoformat()

    @property
    def format(self) -> DateFormat:
        return DateFormat(self.pattern.spelled, self.pattern.century_from)

    def narrow(self, cells: pl.Series, lines: pl.Series) -> None:
        column = pl.col(cells.name)
        iso = (
            cells.to_frame()
            .select(
                pl.when(column.str.contains(f"^{self.pattern.shape}")).then(
                    iso_texts(column, self.format, timed=True)
                )
            )
            .to_series()
        )
        wrong = iso.is_null().arg_true()
        if len(wrong):
            self.against = _against(cells, lines, wrong[0], self.written.options)
            return
        for kind in tuple(self.kinds):
            against = lossless(kind, iso, lines)
            if against is not None:
                self.kinds.remove(kind)
                if not self.kinds:
                    row = (lines == against.line).arg_true()[0]
                    self.against = _against(cells, lines, row, self.written.options)


class OtherNotations:
    """What is left of the other notations after every part of a column."""

    def __init__(self, *, numbers: bool, dates: bool, century_from: int | None) -> None:
        self._numbers = [_Numbers(each) for each in NUMBERS] if numbers else []
        written = [*DATES] if dates else []
        if dates and century_from is not None:
            written += [
                WrittenDate(each.options, DatePattern(each.pattern.spelled, century_from))
                for each in TWO_DIGIT_DATES
            ]
        self._dates = [_Dates(each) for each in written]
        self._tried = False
        self._marked: tuple[int, str] | None = None
        self._sample: list[tuple[int, str]] = []

    @property
    def alive(self) -> bool:
        """Whether one of them may still hold."""
        tried: list[_Numbers | _Dates] = [*self._numbers, *self._dates]
        return any(each.alive for each in tried)

    def without_numbers(self) -> None:
        """The column's cells are no numbers, whatever they look like."""
        self._numbers = []

    def narrow(self, cells: pl.Series, lines: pl.Series, plain: Collection[TypeName]) -> None:
        """Rule out what some cell does not fit; `plain` are the number types that still hold."""
        if not self._tried:
            self._try(cells, lines)
        for dates in self._dates:
            if dates.alive:
                dates.narrow(cells, lines)
        whole = [kind for kind in WHOLE if kind in plain]
        for each in self._numbers:
            if not each.alive:
                continue
            if whole or (TypeName.NUMERIC in plain and each.decimal == "."):
                # Every cell is a plain number, and so the same number in this notation.
                each.kinds = [kind for kind in each.kinds if kind not in WHOLE or kind in whole]
            else:
                each.narrow(cells, lines)
        if self._marked is None and not whole and any(each.alive for each in self._numbers):
            rows = cells.str.contains(_MARKS).arg_true()
            if len(rows):
                self._marked = lines[rows[0]], cells[rows[0]]

    def _try(self, cells: pl.Series, lines: pl.Series) -> None:
        """Rule out in no time what the first cells are not; most columns are none of it."""
        self._tried = True
        sample = list(zip(lines[:TRIED_CELLS], cells[:TRIED_CELLS], strict=True))
        self._sample = sample
        for number in self._numbers:
            for line, text in sample:
                if number.written.format.plain(text) is None:
                    number.against = _said(line, text, number.written.options)
                    break
        for dates in self._dates:
            for line, text in sample:
                match = dates.pattern.match(text)
                if match is None or match.day is None:
                    dates.against = _said(line, text, dates.written.options)
                    break

    def by_comma(self) -> Proven | None:
        """The reading of plain numbers with points, such as 1.000, in which these are groups."""
        alive = [each for each in self._numbers if each.alive and each.decimal == ","]
        if not alive or self._marked is None:
            return None
        first, (line, text) = alive[0], self._marked
        number = first.written.format.plain(text)
        because = f"{_shown(line, text)} {number} by `{first.written.options}`"
        return Proven(first.kinds[0], Notation(numbers=first.written.format), because)

    def found(self) -> Proven | Ambiguous | None:
        """What holds of the whole column."""
        return self._found_numbers() or self._found_dates()

    def nearest(self, example: Against) -> str:
        """What reads a cell that is of no type, and the cell that it does not read; or nothing.

        Of the notations those that held longest, to stand behind the reason against `example`.
        """
        tried: list[_Numbers | _Dates] = [*self._numbers, *self._dates]
        ended = [
            (against, value, each.written.options)
            for each in tried
            if (against := each.against) is not None
            and against.line > example.line
            and (value := each.reads(example.value)) is not None
            and each.reads(against.value) is None
        ]
        if not ended:
            return ""
        last, *_ = max(ended, key=lambda each: each[0].line)
        options: dict[str, str] = {}
        for against, value, option in ended:
            if against.line == last.line:
                options.setdefault(value, option)
        readings = [f"`{option}` reads it as {value}" for value, option in options.items()]
        return f"; {', '.join(readings[:2])}, but not {shown(last.value)} (line {last.line})"

    def _found_numbers(self) -> Proven | Ambiguous | None:
        alive = [each for each in self._numbers if each.alive]
        if not alive:
            return None
        first = alive[0]
        rivals = [each for each in self._numbers if each.decimal != first.decimal]
        rival = next((each for each in rivals if each.alive), None)
        if rival is not None and self._marked is not None:
            line, text = self._marked
            readings = [
                f"{each.written.format.plain(text)} by `{each.written.options}`"
                for each in (first, rival)
            ]
            return Ambiguous(_two_readings(line, text, readings))
        proofs = [each.against for each in rivals if each.against is not None]
        read = [each for each in proofs if first.written.format.plain(each.value) is not None]
        last = max(read, key=lambda against: against.line, default=None)
        if last is None:
            because = f"every value is a number by `{first.written.options}`"
        else:
            number = first.written.format.plain(last.value)
            because = f"{_shown(last.line, last.value)} {number} by `{first.written.options}`"
        return Proven(first.kinds[0], Notation(numbers=first.written.format), because)

    def _found_dates(self) -> Proven | Ambiguous | None:
        alive = [each for each in self._dates if each.alive]
        if not alive:
            return None
        first = alive[0]
        rival = next((each for each in alive if each.order != first.order), None)
        if rival is not None:
            line, text = self._told_apart(first, rival)
            readings = [
                f"{_day(each, text)} by `{each.written.options}`" for each in (first, rival)
            ]
            return Ambiguous(_two_readings(line, text, readings))
        rivals = [each for each in self._dates if sorted(each.order) == sorted(first.order)]
        proofs = [each.against for each in rivals if each.against is not None]
        read = [each for each in proofs if _day(first, each.value) is not None]
        last = max(read, key=lambda against: against.line, default=None)
        line, text = self._sample[0] if last is None else (last.line, last.value)
        because = f"{_shown(line, text)} {_day(first, text)} by `{first.written.options}`"
        return Proven(first.kinds[0], Notation(dates=first.format), because)

    def _told_apart(self, first: _Dates, rival: _Dates) -> tuple[int, str]:
        """A cell that is another day in the other format, else any."""
        different = (
            (line, text) for line, text in self._sample if _day(first, text) != _day(rival, text)
        )
        return next(different, self._sample[0])


def _day(dates: _Dates, text: str) -> date | None:
    match = dates.pattern.match(text)
    return None if match is None else match.day


def _against(cells: pl.Series, lines: pl.Series, row: int, options: str) -> Against:
    return _said(lines[row], cells[row], options)


def _said(line: int, text: str, options: str) -> Against:
    return Against(line, text, f"is none by `{options}`")


def _two_readings(line: int, text: str, readings: Sequence[str]) -> str:
    return f"{_shown(line, text)} {' and '.join(readings)}; name the one"


def _shown(line: int, text: str) -> str:
    return f"line {line}: {shown(text)} is"
