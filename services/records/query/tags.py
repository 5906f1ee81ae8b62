"""ETags of records (RFC 9110, 8.8.3): the table's version and the record's `_version`."""

import re
from collections.abc import Sequence

from services.records.domain import Table
from shared.errors import InvalidInputError

IF_MATCH = "If-Match"

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS = re.compile(rf"[ \t]*{_TAG}(?:[ \t]*,[ \t]*{_TAG})*[ \t]*")
_OURS = re.compile(r'(?<!/)"(\d{1,18})-(\d{1,18})"')


def etag(table: Table, version: int) -> str:
    """The tag of a record with this `_version`."""
    return f'"{table.version}-{version}"'


def allowed(table: Table, if_match: str | None) -> Sequence[int] | None:
    """The `_version`s that an `If-Match` allows; None when it allows any.

    Weak tags match nothing (RFC 9110, 13.1.1). Raises InvalidInputError for what is no list of
    tags.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    if _TAGS.fullmatch(if_match) is None:
        raise InvalidInputError.of(
            IF_MATCH,
            "malformed_etag",
            "this is no ETag; send it as it was answered, with its quotes, such as"
            f" {etag(table, 1)}",
        )
    return [
        int(version) for shape, version in _OURS.findall(if_match) if int(shape) == table.version
    ]


def refuse_if_match(if_match: str | None) -> None:
    """Raise InvalidInputError for an `If-Match` on records that a filter selects."""
    if if_match is not None:
        raise InvalidInputError.of(
            IF_MATCH,
            "not_supported",
            "an ETag belongs to one record; leave it out, filter by `_version`, or change the"
            " records one by one",
        )
