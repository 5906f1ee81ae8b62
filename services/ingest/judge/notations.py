"""In which notation the cells of an import are written: as its options say, told in its format."""

from collections.abc import Sequence
from dataclasses import replace

from services.ingest.domain.options import FileFormat, ImportOptions, Numbers
from services.ingest.domain.outcome import FormatFound
from services.ingest.errors import OptionError
from services.ingest.judge.judging import CellNotation, CellRules
from services.ingest.plan.new_table import TypedColumn
from shared.values.dates import DateFormat
from shared.values.notation import TYPE_TABLE, Notation
from shared.values.number_formats import PLAIN, NumberFormat
from shared.values.types import INTEGER_TYPES, NUMBER_TYPES

POINT = "."


def notation_of(options: ImportOptions, form: FormatFound | None = None) -> Notation:
    """The notation that the options name for a file of such a format.

    Only in delimited files are all numbers texts. Raises OptionError naming the option.
    """
    try:
        dates = DateFormat(options.date_format, options.century_from)
    except ValueError as error:
        raise OptionError.of("date_format", "invalid_option", str(error)) from error
    decimal = options.decimal or POINT
    if options.thousands == decimal:
        raise OptionError.of(
            "thousands", "invalid_option", f"{decimal!r} stands before decimals already: `decimal`"
        )
    numbers = NumberFormat(
        decimal,
        options.thousands,
        lenient=options.numbers is Numbers.LENIENT,
        beside_plain=form is not None and form.name is not FileFormat.CSV,
    )
    return Notation(dates, PLAIN if numbers.is_plain else numbers)


def own_notations(columns: Sequence[TypedColumn]) -> dict[str, CellNotation]:
    """Of each source column that was found to be written in a way of its own, that way."""
    return {
        column.name: CellNotation(column.notation or TYPE_TABLE, column.null_values)
        for column in columns
        if column.notation is not None or column.null_values
    }


def told(form: FormatFound | None, rules: CellRules) -> FormatFound | None:
    """A file's format with the notation in which its cells were read."""
    if form is None:
        return None
    numbers = _one_format(rules)
    own = rules.own.values()
    dates = [word for each in own for word in each.notation.dates.words]
    nulls = [word for column in rules.columns for word in column.null_values]
    nulls += [word for each in own for word in each.null_values]
    lenient = rules.notation.numbers.lenient
    return replace(
        form,
        decimal=None if numbers is None else numbers.decimal,
        thousands=None if numbers is None else numbers.thousands,
        numbers=Numbers.LENIENT if lenient else Numbers.PLAIN,
        date_formats=tuple(dict.fromkeys([*rules.notation.dates.words, *dates])),
        null_values=tuple(dict.fromkeys([*rules.null_values, *nulls])),
    )


def _one_format(rules: CellRules) -> NumberFormat | None:
    """The notation of all numbers with a fraction or in groups; None where there are several."""
    formats: set[NumberFormat] = set()
    for column in rules.columns:
        own = rules.own.get(column.source)
        numbers = (rules.notation if own is None else own.notation).numbers
        if column.type.name in NUMBER_TYPES - (INTEGER_TYPES if numbers.is_plain else set()):
            formats.add(numbers)
    if not formats:
        return rules.notation.numbers
    return formats.pop() if len(formats) == 1 else None
