"""How an import read its rows: which columns went where, and how their cells were written.

Kept with its row where rows were refused, so that a correction is judged as the first file was.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import TypeAdapter

from services.ingest.domain.options import FileFormat
from services.ingest.domain.outcome import FormatFound
from services.ingest.judge.judging import CellNotation, CellRules
from services.ingest.plan.columns import ColumnPlan, PlannedColumn
from services.ingest.plan.source_columns import SourceColumn, Ways
from shared.values.notation import Notation


@dataclass(frozen=True, slots=True)
class ReadColumn:
    """A column of the source: its name, what the report of refused rows calls it, where it went."""

    name: str
    heading: str
    target: str | None
    own: CellNotation | None = None
    """How its cells were written, where it is not as the rest."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How all rows of one import were read."""

    read: tuple[ReadColumn, ...]
    """In the order of the report of refused rows."""
    notation: Notation
    null_values: tuple[str, ...] = ()

    @classmethod
    def of(cls, plan: ColumnPlan, rules: CellRules) -> "Reading":
        """How a load reads."""
        targets = {column.source: column.target for column in plan.columns}
        return cls(
            tuple(
                ReadColumn(name, heading, targets.get(name), rules.own.get(name))
                for name, heading in plan.originals.items()
            ),
            rules.notation,
            rules.null_values,
        )

    @property
    def columns(self) -> tuple[SourceColumn, ...]:
        """The columns, as a plan takes them."""
        return tuple(SourceColumn(each.name, label=each.heading) for each in self.read)

    @property
    def ways(self) -> Ways:
        """Every column is mapped."""
        return Ways()

    @property
    def mapping(self) -> dict[str, str | None]:
        """Of each column the one of the table; None where it went nowhere."""
        return {each.name: each.target for each in self.read}

    def named(self, name: str) -> str | None:
        """The column that a caller names: by its own name, or by that of the table's column."""
        mapping = self.mapping
        if name in mapping:
            return name
        sources = [source for source, target in mapping.items() if target == name]
        return sources[0] if len(sources) == 1 else None

    def rules(self, columns: Sequence[PlannedColumn], form: FormatFound | None) -> CellRules:
        """The rules for cells of a file of this format.

        Only in delimited files are all numbers texts: elsewhere, those of the type table's own
        notation may stand among them.
        """
        as_written = form is not None and form.name is FileFormat.CSV
        own = {each.name: each.own for each in self.read if each.own is not None}
        if as_written:
            return CellRules(tuple(columns), self.null_values, self.notation, own)
        return CellRules(
            tuple(columns),
            self.null_values,
            _beside_plain(self.notation),
            {name: replace(one, notation=_beside_plain(one.notation)) for name, one in own.items()},
        )


READING = TypeAdapter(Reading)
"""A reading to JSON and back."""


def _beside_plain(notation: Notation) -> Notation:
    if notation.numbers.is_plain:
        return notation
    return replace(notation, numbers=replace(notation.numbers, beside_plain=True))
