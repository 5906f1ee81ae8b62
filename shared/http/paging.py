"""Pagination: slices, positions, cursors, and links to the next page.

Does not import FastAPI, so that repositories can return a `Slice`.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import urlencode

from shared.contracts.base import Item, Page
from shared.errors import InvalidInputError
from shared.values.texts import is_storable

Answer = TypeVar("Answer")

Position = tuple[str | None, ...]
"""The sort key of a page's last item, as texts; the next page begins behind it."""


@dataclass(frozen=True, slots=True)
class Slice(Generic[Item]):
    """A part of a list; `rest_after` is None at its end.

    `total` is the number of all items, where it was counted.
    """

    items: tuple[Item, ...]
    rest_after: Position | None
    total: int | None = None


class Listing(Protocol):
    """The part of Starlette's Request that pagination reads."""

    @property
    def scope(self) -> Mapping[str, Any]:
        """The ASGI scope, its `path` as it was sent."""
        ...

    @property
    def query_params(self) -> "Parameters":
        """The query, decoded."""
        ...


class Parameters(Protocol):
    """Names and values of a query, in order."""

    def multi_items(self) -> Sequence[tuple[str, str]]:
        """All pairs, with repeated names."""
        ...


def cut(
    rows: Sequence[Item],
    *,
    limit: int,
    key: Callable[[Item], Position],
    total: int | None = None,
) -> Slice[Item]:
    """A slice of the first `limit` rows, out of up to `limit + 1`."""
    items = tuple(rows[:limit])
    return Slice(items=items, rest_after=key(items[-1]) if len(rows) > limit else None, total=total)


def encoded(position: Position, *, order: str = "") -> str:
    """A position as a cursor, valid only for the given `order` of the list."""
    content = [order, list(position)] if order else list(position)
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def decoded(
    cursor: str,
    *,
    parts: int,
    order: str = "",
    nulls: bool = False,
    code: str = "invalid_cursor",
    field: str = "cursor",
) -> Position:
    """The position in a cursor; `nulls` allows parts that are None.

    Raises InvalidInputError with `field` and `code` unless `encoded` returned the cursor for a
    list with this order and number of parts.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        content = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError) as exc:
        raise InvalidInputError.of(field, code, "follow `next` of a former answer") from exc
    if order:
        given, content = content if _is_pair(content) else (None, None)
        if given != order and isinstance(given, str):
            raise InvalidInputError.of(
                field, code, "it belongs to another order; leave it out, or keep the order"
            )
    if (
        not isinstance(content, list)
        or len(content) != parts
        or not all(_is_part(part, nulls=nulls) for part in content)
    ):
        raise InvalidInputError.of(field, code, "follow `next` of a former answer")
    return tuple(content)


def further(path: str, query: Mapping[str, object], **going_on: object) -> str:
    """A path to another part of the same list.

    `path` is percent-encoded already. `going_on` overrides `query`; values that are None are
    omitted.
    """
    pairs = {
        name: (str(value).lower() if isinstance(value, bool) else value)
        for name, value in {**query, **going_on}.items()
        if value is not None
    }
    return f"{path}?{urlencode(pairs, doseq=True)}"


def next_path(
    request: Listing, found: Slice[Any], *, by: str = "cursor", order: str = ""
) -> str | None:
    """The path of the next page, with the query of this one; None at the end of the list.

    `by` is the parameter that selects the page: `cursor` takes the encoded position, `page` a
    number, any other (`after`, `before`) the only part of the position.
    """
    if found.rest_after is None:
        return None
    query = request.query_params.multi_items()
    if by == "cursor":
        going_on = encoded(found.rest_after, order=order)
    elif by == "page":
        going_on = str(int(next((value for name, value in query if name == by), "1")) + 1)
    else:
        (part,) = found.rest_after
        going_on = str(part)
    kept: dict[str, list[str]] = {}
    for name, value in query:
        if name not in (by, "cursor", "page"):
            kept.setdefault(name, []).append(value)
    return further(request.scope["path"], kept, **{by: going_on})


def page(
    request: Listing,
    found: Slice[Item],
    answer: Callable[[Item], Answer],
    *,
    by: str = "cursor",
    order: str = "",
) -> Page[Answer]:
    """A slice as a response; `by` and `order` as in `next_path`."""
    return Page[Answer](
        items=[answer(item) for item in found.items],
        next=next_path(request, found, by=by, order=order),
    )


def _is_pair(content: object) -> bool:
    return isinstance(content, list) and len(content) == 2


def _is_part(part: object, *, nulls: bool) -> bool:
    return nulls if part is None else isinstance(part, str) and is_storable(part)
