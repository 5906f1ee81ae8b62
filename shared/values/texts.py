"""Texts that PostgreSQL can hold, and others made fit to be shown.

Its `text` and `jsonb` hold neither NUL nor half of a surrogate pair; JSON can spell both.
"""

import re

from shared.values.faults import FaultCode

SHOWN_CHARACTERS = 80
"""Characters of a wrong name that an answer repeats."""

NULL_WORDS = ("NA", "N/A", "#N/A", "NULL", "NaN")
"""What programs write for nothing: NULL beside the numbers and dates of a new table."""

FORMULA_STARTS = "=+@\t\r\n\uff1d\uff0b\uff0d\uff20-"
"""What begins a cell that spreadsheet programs read as a formula; full-width signs among them."""

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class UnstorableTextError(ValueError):
    """A text that PostgreSQL cannot hold; `code` is that of the type table."""

    def __init__(self, code: FaultCode) -> None:
        super().__init__("NUL and lone surrogates cannot be kept; leave them out")
        self.code = code


def is_storable(text: str) -> bool:
    """Whether PostgreSQL can hold the text."""
    return _UNSTORABLE.search(text) is None


def storable(text: str) -> str:
    """The text as it is; raises UnstorableTextError where PostgreSQL cannot hold it."""
    if not is_storable(text):
        raise UnstorableTextError(FaultCode.NUL_BYTE if "\0" in text else FaultCode.BAD_ENCODING)
    return text


def scrubbed(text: str) -> str:
    """The text with a replacement character for each that PostgreSQL cannot hold."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def readable(text: str) -> str:
    """A text from outside as it may stand in an answer: short, and valid Unicode."""
    return scrubbed(text[:SHOWN_CHARACTERS])
