"""Types for the columns of a new table, out of every cell of the file, with the evidence.

A column gets the narrowest type from which PostgreSQL gives every cell back as it was written
(`lossless`): BOOLEAN; INTEGER, BIGINT, NUMERIC, DOUBLE PRECISION; DATE, TIMESTAMP, TIMESTAMPTZ;
TIME; UUID. Or numbers or dates in the one other notation that every cell fits, if some cell fits no
other. Else it is TEXT. What JSON has as a string is neither number nor truth value; JSON is for
columns that hold objects or arrays. Words such as NA beside numbers or dates are NULL.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from services.ingest.domain.options import ImportOptions
from services.ingest.domain.outcome import FormatFound
from services.ingest.judge.decimals import COMMA, DELIMITER
from services.ingest.judge.exact import WHITE_SPACE, shown
from services.ingest.judge.hints import hint
from services.ingest.judge.judging import are_formulas, without_formulas
from services.ingest.judge.lossless import Against, fitting, lossless
from services.ingest.judge.notations import POINT, notation_of
from services.ingest.judge.other_notations import OtherNotations, Proven
from services.ingest.plan.columns import WITH_NULL_WORDS, plan_to_infer
from services.ingest.plan.new_table import TypedColumn, named_types, new_names
from services.ingest.plan.source_columns import SourceColumn
from services.ingest.read.frame import Frame
from services.ingest.read.json.frames import NESTED
from services.ingest.read.source import Source
from shared.store.copying import ahead
from shared.values.notation import TYPE_TABLE, Notation
from shared.values.texts import NULL_WORDS
from shared.values.types import NUMBER_TYPES, TIMESTAMP_TYPES, ColumnType, TypeName

SAMPLED_CELLS = 200
FAMILIES: tuple[tuple[TypeName, ...], ...] = (
    (TypeName.BOOLEAN,),
    (TypeName.INTEGER, TypeName.BIGINT, TypeName.NUMERIC, TypeName.DOUBLE),
    (TypeName.DATE, TypeName.TIMESTAMP, TypeName.TIMESTAMPTZ),
    (TypeName.TIME,),
    (TypeName.UUID,),
)
"""From narrow to wide within each."""
ORDER = tuple(kind for family in FAMILIES for kind in family)
_DATES = TIMESTAMP_TYPES | {TypeName.DATE}
_PAIRS = (
    frozenset({"true", "false"}),
    frozenset({"yes", "no"}),
    frozenset({"y", "n"}),
    frozenset({"on", "off"}),
    frozenset({"t", "f"}),
)
_ZONED = "(?:Z|UTC|:[0-9.]+ ?[+-][0-9:]+)$"
_NULL_ELSEWHERE = "stands for NULL beside numbers and dates alone"
_TRUTH_WORDS = frozenset[str]().union(*_PAIRS)


@dataclass
class _Column:
    """What is known of a column so far."""

    name: str
    notation: Notation
    """What the caller's options say of numbers and dates."""
    others: OtherNotations
    alive: list[TypeName] = field(default_factory=lambda: list(ORDER))
    against: dict[TypeName, Against] = field(default_factory=dict)
    certain: tuple[TypeName, Against] | None = None
    """A type that one cell decides, whatever the others are."""
    cells: int = 0
    truth_words: dict[str, Against] = field(default_factory=dict)
    null_words: dict[str, int] = field(default_factory=dict)
    """Word → the first line that has it."""
    minutes: Against | None = None
    zoned: bool = False
    unzoned: Against | None = None
    """Whether some time has a zone, and the first that has none."""
    seconds: bool = False
    """Whether some time has seconds, and the first that has none."""

    @property
    def undecided(self) -> bool:
        """Whether further cells may rule something out."""
        open_still = bool(self.alive) or self.others.alive or not self.cells
        return self.certain is None and open_still

    def rule_out(self, kind: TypeName, against: Against) -> None:
        """A cell is not of the type."""
        if kind in self.alive:
            self.alive.remove(kind)
            self.against[kind] = against

    def narrow(self, cells: pl.Series, lines: pl.Series) -> None:
        """Rule out what these cells, without blanks around them, do not fit."""
        for kind in tuple(self.alive):
            against = self._against(kind, cells, lines)
            if against is not None:
                self.rule_out(kind, against)
        if TypeName.TIME in self.alive:
            self._note_seconds(cells, lines)
        if TypeName.TIMESTAMPTZ in self.alive:
            self._note_zones(cells, lines)
        if self.others.alive:
            self.others.narrow(cells, lines, [kind for kind in self.alive if kind in NUMBER_TYPES])

    def _against(self, kind: TypeName, cells: pl.Series, lines: pl.Series) -> Against | None:
        if kind is TypeName.BOOLEAN:
            return self._against_truth(cells, lines)
        if kind in NUMBER_TYPES and not self.notation.numbers.is_plain:
            return fitting(kind, cells, lines, self.notation)
        if kind in _DATES and self.notation.dates.formats is not None:
            return fitting(kind, cells, lines, self.notation)
        return lossless(kind, cells, lines)

    def _against_truth(self, cells: pl.Series, lines: pl.Series) -> Against | None:
        words = cells.str.to_lowercase()
        for word in words.unique(maintain_order=True):
            row = (words == word).arg_max()
            assert row is not None
            if word not in _TRUTH_WORDS:
                reason = "is a number" if word in ("0", "1") else "is not a truth value"
                return Against(lines[row], cells[row], reason)
            self.truth_words.setdefault(word, Against(lines[row], cells[row], ""))
            if self._pair() is None:
                return Against(lines[row], cells[row], "is a word of another pair of truth words")
        return None

    def _pair(self) -> frozenset[str] | None:
        return next((pair for pair in _PAIRS if pair.issuperset(self.truth_words)), None)

    def _note_seconds(self, cells: pl.Series, lines: pl.Series) -> None:
        short = (cells.str.len_bytes() == len("00:00")).arg_true()
        self.seconds |= len(short) < len(cells)
        if self.minutes is None and len(short):
            self.minutes = Against(lines[short[0]], cells[short[0]], "")

    def _note_zones(self, cells: pl.Series, lines: pl.Series) -> None:
        without = (~cells.str.contains(_ZONED)).arg_true()
        self.zoned |= len(without) < len(cells)
        without = without.filter(cells.gather(without).str.contains("[0-9]"))
        if self.unzoned is None and len(without):
            self.unzoned = Against(lines[without[0]], cells[without[0]], "")

    def decide(self) -> TypedColumn:
        """The type, the notation of its cells, and the evidence."""
        if self.certain is not None:
            return self.typed(self.certain[0], str(self.certain[1]))
        if not self.cells:
            return self.typed(TypeName.TEXT, self._why_empty())
        doubts = self._doubts()
        for kind, doubt in doubts.items():
            self.rule_out(kind, doubt)
        if self.notation.dates.patterns and (day := self._first_of(_DATES)) is not None:
            return self.typed(day, self._why(day), self.notation)
        if self.alive:
            kind = self.alive[0]
            return self.typed(kind, self._why(kind), self.notation)
        other = self.others.found()
        if isinstance(other, Proven):
            return self.typed(other.kind, other.because, other.notation)
        against = next(iter(doubts.values()), None) or self._most_telling()
        return self.typed(TypeName.TEXT, str(against) if other is None else other.because)

    def typed(self, kind: TypeName, because: str, notation: Notation | None = None) -> TypedColumn:
        """The column with a type, and what its words for NULL are."""
        nulls = [
            word
            for word in self.null_words
            if kind in WITH_NULL_WORDS and not (word == "NaN" and kind is TypeName.DOUBLE)
        ]
        told = "".join(f"; {word} (line {self.null_words[word]}) is NULL" for word in nulls)
        if kind is TypeName.TIMESTAMPTZ and self.zoned and self.unzoned is not None:
            told += f"; {replace(self.unzoned, reason='has no zone: it is read as UTC')}"
        return TypedColumn(
            self.name,
            ColumnType(name=kind),
            because + told,
            notation or TYPE_TABLE,
            tuple(nulls),
        )

    def _why_empty(self) -> str:
        if not self.null_words:
            return "no row has a value"
        return f"no row has another value than {', '.join(self.null_words)}"

    def _doubts(self) -> dict[TypeName, Against]:
        """Types that no cell rules out, but that the column as a whole does not prove."""
        doubts: dict[TypeName, Against] = {}
        for word, line in self.null_words.items():
            for kind in set(self.alive).difference(WITH_NULL_WORDS):
                doubts.setdefault(kind, Against(line, word, _NULL_ELSEWHERE))
        pair = self._pair() if TypeName.BOOLEAN in self.alive else None
        if pair is not None and pair != _PAIRS[0] and len(self.truth_words) < len(pair):
            (only,) = self.truth_words.values()
            other = next(word for word in sorted(pair) if word not in self.truth_words)
            reason = f"may be a truth value, but no row has {other!r}; `types` makes it one"
            doubts.setdefault(TypeName.BOOLEAN, replace(only, reason=reason))
        if TypeName.TIME in self.alive and self.minutes is not None and not self.seconds:
            reason = "may be hours and minutes or minutes and seconds; `types` decides"
            doubts.setdefault(TypeName.TIME, replace(self.minutes, reason=reason))
        return doubts

    def _first_of(self, kinds: frozenset[TypeName]) -> TypeName | None:
        return next((kind for kind in self.alive if kind in kinds), None)

    def _why(self, kind: TypeName) -> str:
        family = next(family for family in FAMILIES if kind in family)
        narrower = [each for each in family[: family.index(kind)] if each in self.against]
        if narrower:
            return str(self.against[narrower[-1]])
        return f"all {self.cells:,} values fit"

    def _most_telling(self) -> Against:
        """Of the types that held out longest: why a cell that looks like one of them is none."""
        line = max(against.line for against in self.against.values())
        last = [kind for kind in ORDER if self.against[kind].line == line]
        for kind in last:
            if not self.against[kind].is_plain_of(kind):
                return self.against[kind]
        first = self.against[last[0]]
        options = self.others.nearest(first)
        if any(set(last) <= set(family) for family in FAMILIES):
            return replace(first, reason=first.reason + options)
        options = options or hint(TypeName.NUMERIC, first.value) or hint(TypeName.DATE, first.value)
        return replace(first, reason=f"is no number, date, time, UUID or truth value{options}")


async def infer(
    source: Source, options: ImportOptions, *, note_bytes: Callable[[int], None] | None = None
) -> tuple[TypedColumn, ...]:
    """The types of the columns that a new table gets, out of the whole source.

    `note_bytes` is called after every block with the bytes that were read so far.

    Raises as `new_names` and `named_types`, OptionError, FileRefusedError, ReadAgainError.
    """
    notation = notation_of(options, source.format)
    named = named_types(source, options)
    names = new_names(source, options)
    columns = [
        _Column(name, notation, _others(options, notation)) for name in names if name not in named
    ]
    async with ahead(source.frames(plan_to_infer(source))) as frames:
        async for frame in frames:
            await asyncio.to_thread(_narrow, columns, frame, options)
            if note_bytes is not None:
                note_bytes(frame.bytes_read)
    decided = {column.name: column.decide() for column in columns}
    if options.decimal is None:
        decided |= _by_the_others(columns, decided, source.format)
    decided |= _doubted(source.columns, decided)
    decided |= named
    return tuple(decided[name] for name in names)


def _doubted(
    columns: Sequence[SourceColumn], decided: Mapping[str, TypedColumn]
) -> dict[str, TypedColumn]:
    """The columns that became text, and may be such because the header is another line."""
    doubts = {column.name: column.doubt for column in columns if column.doubt is not None}
    return {
        name: replace(column, because=f"{column.because}; {doubts[name]}")
        for name, column in decided.items()
        if name in doubts and column.type.name is TypeName.TEXT
    }


def _by_the_others(
    columns: Sequence[_Column], decided: Mapping[str, TypedColumn], form: FormatFound | None
) -> dict[str, TypedColumn]:
    """The columns whose points are groups, or may be: of 1.000 and 12 nothing in them decides.

    In a file with a column such as 12,50 they are, if none has points that must stand before
    decimals. In one with the delimiter `;`, or with both, they may be, and the column stays text.
    """
    numbers = [
        column
        for column in columns
        if decided[column.name].type.name in (TypeName.NUMERIC, TypeName.DOUBLE)
    ]
    plain = [each for each in numbers if decided[each.name].notation == TYPE_TABLE]
    doubtful = [(each, by) for each in plain if (by := each.others.by_comma()) is not None]
    points = len(plain) > len(doubtful)
    commas = any(
        each.notation is not None and each.notation.numbers.decimal == COMMA
        for each in decided.values()
    )
    if not commas and (form is None or form.delimiter != DELIMITER or points):
        return {}
    if commas and not points:
        return {
            column.name: column.typed(by.kind, f"{by.because}, as others are", by.notation)
            for column, by in doubtful
        }
    both = f" and the number that it is written as by `decimal={POINT}`; name the one"
    return {column.name: column.typed(TypeName.TEXT, by.because + both) for column, by in doubtful}


def _others(options: ImportOptions, notation: Notation) -> OtherNotations:
    return OtherNotations(
        numbers=options.decimal is None and notation.numbers.is_plain,
        dates=options.date_format is None,
        century_from=options.century_from,
    )


def _narrow(columns: Sequence[_Column], frame: Frame, options: ImportOptions) -> None:
    nested = {
        fault.column: fault.row for fault in reversed(frame.faults) if fault.message == NESTED
    }
    nulls = list(options.null_values)
    for column in columns:
        cells = frame.cells[column.name]
        if column.name in nested and column.certain is None:
            row = nested[column.name]
            against = Against(frame.lines[row], cells[row], "is an object or array")
            column.certain = TypeName.JSON, against
        if frame.may_hold_formulas:
            _note_formula(column, cells, frame.lines)
        if not column.undecided:
            continue
        cells = cells.str.strip_chars(WHITE_SPACE)
        kept = (cells != "") & ~cells.is_in(nulls) if nulls else cells != ""
        cells, lines = cells.filter(kept), frame.lines.filter(kept)
        cells, lines = _without_null_words(column, cells, lines)
        column.cells += len(cells)
        if not len(cells):
            continue
        _rule_out_strings(column, frame)
        for part in (slice(0, SAMPLED_CELLS), slice(SAMPLED_CELLS, None)):
            if len(cells[part]):
                column.narrow(cells[part], lines[part])


def _note_formula(column: _Column, cells: pl.Series, lines: pl.Series) -> None:
    """A text that a spreadsheet program wrote as a formula makes its column text."""
    rows = are_formulas(cells).arg_true()
    if column.certain is None and len(rows):
        row = rows[0]
        text = without_formulas(cells[row : row + 1]).item()
        reason = f"is how spreadsheet programs write the text {shown(text)}"
        column.certain = TypeName.TEXT, Against(lines[row], cells[row], reason)


def _without_null_words(
    column: _Column, cells: pl.Series, lines: pl.Series
) -> tuple[pl.Series, pl.Series]:
    """The cells that are no word for NULL; the words are noted."""
    words = cells.is_in(list(NULL_WORDS))
    if not words.any():
        return cells, lines
    for word in cells.filter(words).unique(maintain_order=True):
        row = (cells == word).arg_max()
        assert row is not None
        column.null_words.setdefault(word, lines[row])
    return cells.filter(~words), lines.filter(~words)


def _rule_out_strings(column: _Column, frame: Frame) -> None:
    """What JSON has as a string is neither a number nor a truth value."""
    row = frame.strings.get(column.name)
    if row is None:
        return
    value = frame.cells[column.name][row] or ""
    against = Against(frame.lines[row], value, "is stored as text")
    for kind in (TypeName.BOOLEAN, *NUMBER_TYPES):
        column.rule_out(kind, against)
    column.others.without_numbers()
