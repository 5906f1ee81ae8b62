"""`decimal=auto` into a table that is there: the point, unless the delimiter and a value decide.

A value such as 12,50 is refused by the point, and proves the comma for its column; the reading then
begins again with it, because what came before may have been read otherwise: 1.234 is 1234 then. It
proves it for the other columns, too, but for those with a value that proves the point; a column
that has values which prove either is left to the point and to the caller's option.
"""

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from services.ingest.domain.options import ImportOptions
from services.ingest.domain.outcome import FormatFound, InferredColumn
from services.ingest.judge.judging import BadRows, CellNotation, CellRules
from services.ingest.read.frame import Frame
from shared.values.number_formats import NumberFormat
from shared.values.types import NUMBER_TYPES

COMMA = ","
DELIMITER = ";"
"""Between cells where the comma stands before decimals."""
_PROVES = (
    r"^[+-]?(?:[0-9]+{decimal}(?:[0-9]{{1,2}}|[0-9]{{4,}})|0*{decimal}[0-9]+"
    r"|[1-9][0-9]{{0,2}}(?:{group}[0-9]{{3}})+{decimal}[0-9]+)$"
)
"""Three digits behind the sign may be a group, but for those of 0,123."""
_PROVES_COMMA = _PROVES.format(decimal=",", group=r"\.")
_PROVES_POINT = _PROVES.format(decimal=r"\.", group=",")


_MAY_BE_GROUPED = r"^\s*[+-]?[1-9][0-9]{0,2}\.[0-9]{3}\s*$"


class Doubts:
    """Columns that are read by the point although all their points may part groups of digits.

    The point it is, into a table that is there; but 2.000 is 2000 to whoever writes the comma, and
    nothing in the column says who wrote it.
    """

    def __init__(self, rules: CellRules) -> None:
        self._rules = rules
        self.restart()

    def restart(self) -> None:
        """Forget what was noted: the source is read again."""
        self._open = [
            column
            for column in self._rules.columns
            if column.type.name in NUMBER_TYPES and column.source not in self._rules.own
        ]
        self._first: dict[str, tuple[int, str]] = {}

    def note(self, frame: Frame) -> None:
        """Look at the cells of a frame; a column is none any more once a cell decides."""
        self._open = [column for column in self._open if self._is_doubtful(column.source, frame)]

    def _is_doubtful(self, source: str, frame: Frame) -> bool:
        cells = frame.cells[source]
        if cells.dtype != pl.String:
            return False
        rows = cells.str.contains(".", literal=True).arg_true()
        if len(rows) and source not in self._first:
            self._first[source] = frame.lines[rows[0]], cells[rows[0]]
        return bool(cells.gather(rows).str.contains(_MAY_BE_GROUPED).all())

    @property
    def told(self) -> tuple[InferredColumn, ...]:
        """What is said of them, with the first cell."""
        groups = NumberFormat(COMMA, ".")
        return tuple(
            InferredColumn(
                column=column.target,
                type=column.type.spelled(),
                because=f"line {line}: '{text}' is read by the point; `decimal={COMMA}"
                f" thousands=.` reads it as {groups.plain(text.strip())}",
            )
            for column in self._open
            if column.source in self._first
            for line, text in (self._first[column.source],)
        )


def may_have_commas(form: FormatFound | None, options: ImportOptions) -> bool:
    """Whether values of a file may decide for the comma."""
    named = options.decimal is not None or options.thousands is not None
    return form is not None and form.delimiter == DELIMITER and not named


def decided(bad: BadRows, rules: CellRules) -> Mapping[str, CellNotation]:
    """Source columns in which a refused cell decides for another notation than theirs."""
    numbers = {c.source: c for c in rules.columns if c.type.name in NUMBER_TYPES}
    if not bad.faults.height or not numbers:
        return {}
    proofs = (
        bad.faults.lazy()
        .filter(pl.col("column").is_in(list(numbers)))
        .with_columns(pl.col("value").str.strip_chars())
        .group_by("column")
        .agg(
            comma=pl.col("value").str.contains(_PROVES_COMMA).any(),
            point=pl.col("value").str.contains(_PROVES_POINT).any(),
        )
        .collect()
    )
    plain = CellNotation(rules.notation)
    own = {name: rules.own.get(name, plain) for name in numbers}
    with_comma = replace(
        rules.notation,
        numbers=NumberFormat(COMMA, ".", lenient=rules.notation.numbers.lenient),
    )
    changed: dict[str, CellNotation] = {}
    for name, comma, point in proofs.rows():
        if name not in rules.own and comma:
            others = [other for other in numbers if other not in rules.own]
            changed |= {each: replace(own[each], notation=with_comma) for each in others}
        elif own[name].notation == with_comma and point:
            changed[name] = replace(own[name], notation=rules.notation)
    return changed
