"""Lists a page at a time: positions, cursors, and the path on which a list goes on.

Free of FastAPI, so that repositories may return a `Slice`.
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
"""Where a list goes on: the sort key of the last item that was shown, as texts."""


@dataclass(frozen=True, slots=True)
class Slice(Generic[Item]):
    """A part of a list; the rest begins after `rest_after`, unless that is None.

    `total`, if counted, is how many items there are in all.
    """

    items: tuple[Item, ...]
    rest_after: Position | None
    total: int | None = None


class Listing(Protocol):
    """What is read of a request for a list; Starlette's Request has it."""

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
        """Every pair, also of a name that was given twice."""
        ...


def cut(
    rows: Sequence[Item],
    *,
    limit: int,
    key: Callable[[Item], Position],
    total: int | None = None,
) -> Slice[Item]:
    """The first `limit` of rows that were read one further than that."""
    items = tuple(rows[:limit])
    return Slice(items=items, rest_after=key(items[-1]) if len(rows) > limit else None, total=total)


def encoded(position: Position, *, order: str = "") -> str:
    """A position as a cursor; `order` binds it to the order of the list."""
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
    """The position in a cursor; `nulls` says whether a part may be None.

    Raises InvalidInputError, naming `field` and with `code`, for what `encoded` never made for
    such a list.
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
    """The same list, further on: a path that can be followed as it stands.

    `path` is percent-encoded; of `query` and `going_on`, which goes before it, what is None is
    left out.
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

    `by` names the parameter that moves: `cursor` holds the position encoded, `page` counts, any
    other (`after`, `before`) is the position's only part.
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
    """A slice as an answer; `by` and `order` as in `next_path`."""
    return Page[Answer](
        items=[answer(item) for item in found.items],
        next=next_path(request, found, by=by, order=order),
    )


def _is_pair(content: object) -> bool:
    return isinstance(content, list) and len(content) == 2


def _is_part(part: object, *, nulls: bool) -> bool:
    return nulls if part is None else isinstance(part, str) and is_storable(part)
