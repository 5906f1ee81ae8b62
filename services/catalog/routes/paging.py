"""Pages of the catalog's lists, by cursor or by page number."""

from collections.abc import Callable
from typing import TypeVar

from fastapi import Request

from services.catalog.domain import Window
from services.catalog.schemas.browsing import CountedPage, ListQuery
from shared.errors import InvalidInputError
from shared.http.paging import Position, Slice, decoded, next_path

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
    return None if cursor is None else decoded(cursor, parts=parts, code="cursor_unknown")


def counted_page(
    request: Request, query: ListQuery, items: Slice[Item], answer: Callable[[Item], Answer]
) -> CountedPage[Answer]:
    """A slice as an answer."""
    return CountedPage(
        items=[answer(item) for item in items.items],
        next=next_path(request, items, by="cursor" if query.page is None else "page"),
        total=items.total,
    )
