"""How the cells of a column are written, where it is not the type table's own way."""

from dataclasses import dataclass

from shared.values.dates import ISO, DateFormat
from shared.values.number_formats import PLAIN, NumberFormat


@dataclass(frozen=True, slots=True)
class Notation:
    """The formats of a column's numbers and dates."""

    dates: DateFormat = ISO
    numbers: NumberFormat = PLAIN


TYPE_TABLE = Notation()
"""The type table's own notation: ISO dates, and numbers with a point."""
