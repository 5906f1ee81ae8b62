"""How a file is read, by the API's names: of an import and of a preview."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from cli import import_options as options
from cli.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class FileOptions:
    """How a file is read, by the API's names."""

    format: options.FileFormat = "auto"
    delimiter: options.Delimiter = None
    quote: options.Quote = None
    encoding: options.Encoding = None
    force_encoding: options.ForceEncoding = False
    header_line: options.HeaderLine = None
    footer_lines: options.FooterLines = None
    fill_short: options.FillShort = False
    escape: options.Escape = None
    comment: options.Comment = None
    trim: options.Trim = None
    null_values: options.NullValues = None
    date_format: options.DateFormat = None
    century_from: options.CenturyFrom = None
    decimal: options.Decimal = None
    thousands: options.Thousands = None
    numbers: options.Numbers = "plain"
    record_path: options.RecordPath = None
    sheet: options.Sheet = None
    member: options.Member = None

    def must_be_unset(self) -> None:
        """Raises UsageError unless nothing of this was given, as for a database."""
        if self != FileOptions():
            raise UsageError("a database has no --name, --format, --encoding and the like")

    def fields(self) -> dict[str, Any]:
        """What was given, as the server's default is."""
        given = {name: value for name, value in asdict(self).items() if value is not None}
        if self.numbers == "plain":
            del given["numbers"]
        return given


def form(fields: dict[str, Any]) -> dict[str, str]:
    """The same as form fields, which are text."""
    return {
        name: json.dumps(value) if isinstance(value, (bool, dict)) else str(value)
        for name, value in fields.items()
    }
