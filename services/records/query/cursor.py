"""Keyset cursors: the sort values of a page's last row, with the order they belong to."""

import base64

from services.records.query.plan import SortKey
from services.records.query.values import checked_text
from shared.errors import InvalidInputError
from shared.http.paging import Position, decoded


def cursor_of(order: tuple[SortKey, ...], last: str, *, words: str | None = None) -> str:
    """As `encoded`, of sort values that PostgreSQL has written as a JSON array of texts already.

    `words` spell the order where its keys do not.
    """
    # Names hold nothing that JSON would escape.
    content = f'["{words or _words(order)}",{last}]'
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def values_of(cursor: str, order: tuple[SortKey, ...], *, words: str | None = None) -> Position:
    """The sort values in a cursor; raises InvalidInputError unless it belongs to this order."""
    position = decoded(cursor, parts=len(order), order=words or _words(order), nulls=True)
    for key, value in zip(order, position, strict=True):
        if value is not None:
            checked_text(key.column, value, of="cursor")
        elif key.column.name == "id":
            raise InvalidInputError.of("cursor", "invalid_cursor", "no record is without an id")
    return position


def _words(order: tuple[SortKey, ...]) -> str:
    return ",".join([key.word for key in order])
