"""The columns of a JSON file by the elements in its head."""

from services.ingest.plan.names import refuse_too_many
from services.ingest.read.csv.blocks import RAW_LIMIT
from services.ingest.read.errors import HeaderDoubtfulError
from services.ingest.read.json.cutting import Cutter, Element
from services.ingest.read.json.frames import printable, text_of
from shared.values.numbers import json_text


def head_columns(text: str, cutter: Cutter, *, complete: bool) -> tuple[str, ...]:
    """The keys of the elements in a file's head, in the order in which they turn up.

    Raises DamagedFileError, TooManyColumnsError.
    """
    keys: dict[str, None] = {}
    for element in cutter.feed(text, final=complete):
        if isinstance(element, Element) and isinstance(element.value, dict):
            keys.update(dict.fromkeys(element.value))
            refuse_too_many(keys)
    return tuple(printable(key) for key in keys)


def head_array(text: str, cutter: Cutter, *, complete: bool, named: bool) -> tuple[str, ...] | None:
    """The cells of the first element as text where it is an array, else None.

    Raises HeaderDoubtfulError where the first element must be `named` and is not of texts alone.
    """
    first = next(cutter.feed(text, final=complete), None)
    if not isinstance(first, Element) or not isinstance(first.value, list):
        return None
    if named and not all(cell.__class__ is str for cell in first.value):
        raise HeaderDoubtfulError.of(
            "header_line",
            HeaderDoubtfulError.code,
            f"the first array ({printable(json_text(first.value))[:RAW_LIMIT]}) holds values, not"
            " names: send `header_line=none` if there are none, or `header_line=1` if it names the"
            " columns",
        )
    return tuple(printable(text_of(cell) or "") for cell in first.value)
