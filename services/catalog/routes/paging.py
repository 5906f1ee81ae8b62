"""Cursors and `next` of the catalog's lists."""

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlencode

from fastapi import Request

from services.catalog.domain import Position, Slice, Window, decode_position, encode_position
from services.catalog.schemas import CountedPage, ListQuery
from shared.errors import InvalidInputError

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def window_of(query: ListQuery, *, parts: int) -> Window:
    """The part of a list that a query asks for; raises as `position_of`.

    `parts` is the number of names in the list's sort key. A page and a cursor at once are refused.
    """
    after = position_of(query.cursor, parts=parts)
    if after is not None and query.page is not None:
        raise InvalidInputError.of("page", "page_and_cursor", "give a page or a cursor, not both")
    return Window(limit=query.limit, offset=((query.page or 1) - 1) * query.limit, after=after)


def position_of(cursor: str | None, *, parts: int) -> Position | None:
    """The position in a cursor; raises InvalidInputError for a cursor that is not ours."""
    if cursor is None:
        return None
    try:
        return decode_position(cursor, parts=parts)
    except ValueError as exc:
        raise InvalidInputError.of(
            "cursor", "cursor_unknown", "follow `next` of a former answer as it stands"
        ) from exc


def next_path(
    request: Request, position: Position | None, *, page: int | None = None
) -> str | None:
    """The same path with a cursor, or with the next page for a list by pages."""
    if position is None:
        return None
    going_on = {"cursor": encode_position(position)} if page is None else {"page": str(page + 1)}
    kept = {
        name: value
        for name, value in request.query_params.items()
        if name not in ("cursor", "page")
    }
    return f"{request.scope['path']}?{urlencode(kept | going_on)}"


def counted_page(
    request: Request, query: ListQuery, items: Slice[Item], answer: Callable[[Item], Answer]
) -> CountedPage[Answer]:
    """A slice as an answer."""
    return CountedPage(
        items=[answer(item) for item in items.items],
        next=next_path(request, items.rest_after, page=query.page),
        total=items.total,
    )
