"""The options that read a file in the way in which it was read."""

from collections.abc import Container
from dataclasses import fields
from enum import Enum
from typing import Any

from services.ingest.domain.options import ImportOptions
from services.ingest.domain.outcome import FormatFound

OF_THE_ROWS = frozenset(
    {"mode", "key", "on_error", "max_errors", "dry_run", "create_table", "mapping"}
    | {"allow_empty", "on_duplicate", "on_blank", "on_new_column", "types"}
)
"""What becomes of the rows is no part of how they are read."""


ORDINARY = {"decimal": ".", "numbers": "plain", "escape": "none"}
"""What a file without a notation of its own is read by, asked for or not."""


def reading_options(
    options: ImportOptions, found: FormatFound | None, *, known: Container[str]
) -> dict[str, Any]:
    """What was asked for and what was found, by the names of an import's options.

    `known`: the names that a caller may send. Defaults are left out; a file that was read by them
    is read by them again.
    """
    facts = (
        {} if found is None else {each.name: getattr(found, each.name) for each in fields(found)}
    )
    facts["format"] = facts.pop("name", None)
    facts.pop("null_values", None)  # those that were found are NULL in some columns alone
    if facts["format"] is not None and not facts["format"].is_text:
        facts.pop("encoding", None)
    reading: dict[str, Any] = {}
    for option in fields(options):
        if option.name in OF_THE_ROWS or option.name not in known:
            continue
        given = getattr(options, option.name)
        asked = given not in (None, (), "auto")
        value = _plain(given if asked else facts.get(option.name))
        if value in (None, [], "auto", False) or (not asked and value == ORDINARY.get(option.name)):
            continue
        reading[option.name] = str(value) if option.name == "header_line" else value
    return reading


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    return list(value) if isinstance(value, tuple) else value
