"""In which notation the cells of an import are written: as its options say, told in its format."""

from dataclasses import replace

from services.ingest.domain import FormatFound, ImportOptions, Numbers
from services.ingest.errors import OptionError
from services.ingest.judge.judging import CellRules
from shared.values.dates import DateFormat
from shared.values.notation import Notation
from shared.values.number_formats import NumberFormat

POINT = "."


def notation_of(options: ImportOptions) -> Notation:
    """The notation that the options name; raises OptionError naming the option."""
    try:
        dates = DateFormat(options.date_format, options.century_from)
    except ValueError as error:
        raise OptionError.of("date_format", "invalid_option", str(error)) from error
    decimal = options.decimal or POINT
    if options.thousands == decimal:
        raise OptionError.of(
            "thousands", "invalid_option", f"{decimal!r} stands before decimals already: `decimal`"
        )
    lenient = options.numbers is Numbers.LENIENT
    return Notation(dates, NumberFormat(decimal, options.thousands, lenient=lenient))


def told(form: FormatFound | None, rules: CellRules) -> FormatFound | None:
    """A file's format with the notation in which its cells were read."""
    if form is None:
        return None
    numbers = rules.notation.numbers
    return replace(
        form,
        decimal=numbers.decimal,
        thousands=numbers.thousands,
        numbers=Numbers.LENIENT if numbers.lenient else Numbers.PLAIN,
        date_formats=rules.notation.dates.words,
        null_values=rules.null_values,
    )
