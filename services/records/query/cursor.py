"""Keyset cursors: the sort values of a page's last row, with the order they belong to."""

import base64
import binascii
import json

from services.records.query.plan import SortKey
from services.records.query.values import checked_text
from shared.errors import InvalidInputError


def cursor_of(order: tuple[SortKey, ...], last: str) -> str:
    """A cursor behind the row with these sort values, given as a JSON array of texts."""
    # Names hold nothing that JSON would escape.
    words = '","'.join([key.word for key in order])
    return base64.urlsafe_b64encode(f'[["{words}"],{last}]'.encode()).decode().rstrip("=")


def values_of(cursor: str, order: tuple[SortKey, ...]) -> tuple[str | None, ...]:
    """The sort values in a cursor; raises InvalidInputError unless it belongs to this order."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        words, last = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError, RecursionError) as exc:
        raise _broken("it is damaged; follow `next` as it stands") from exc
    if words != [key.word for key in order]:
        raise _broken("it belongs to another order; leave it out, or keep `sort` as it was")
    if not isinstance(last, list) or len(last) != len(order):
        raise _broken("it is damaged; follow `next` as it stands")
    for key, value in zip(order, last, strict=True):
        if value is not None and not isinstance(value, str):
            raise _broken("it is damaged; follow `next` as it stands")
        if value is None and key.column.name == "id":
            raise _broken("it is damaged; follow `next` as it stands")
        if value is not None:
            checked_text(key.column, value, of="cursor")
    return tuple(last)


def _broken(why: str) -> InvalidInputError:
    return InvalidInputError.of("cursor", "invalid_cursor", why)
