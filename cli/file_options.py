"""How a file is read, by the API's names: of an import and of a preview."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from cli.errors import UsageError


@dataclass(frozen=True)
class FileOptions:
    """How a file is read, by the API's names."""

    format: str
    delimiter: str | None
    quote: str | None
    encoding: str | None
    force_encoding: bool
    header_line: str | None
    footer_lines: int | None
    fill_short: bool
    escape: str | None
    comment: str | None
    trim: str | None
    null_values: str | None
    date_format: str | None
    century_from: int | None
    decimal: str | None
    thousands: str | None
    numbers: str | None
    record_path: str | None
    sheet: str | None
    member: str | None

    def must_be_unset(self) -> None:
        """Raises UsageError unless nothing of this was given, as for a database."""
        if any(value not in (None, False, "auto") for value in asdict(self).values()):
            raise UsageError("a database has no --name, --format, --encoding and the like")

    def fields(self) -> dict[str, Any]:
        """What was given."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def form(fields: dict[str, Any]) -> dict[str, str]:
    """The same as form fields, which are text."""
    return {
        name: json.dumps(value) if isinstance(value, (bool, dict)) else str(value)
        for name, value in fields.items()
    }
