"""`next`: the path on which a list goes on, with the same filters."""

from urllib.parse import urlencode

from fastapi import Request

from services.catalog.domain import Position, Slice, encode_position
from services.catalog.schemas import CountedPage, ListQuery
from shared.contracts.base import Item


def next_path(
    request: Request, position: Position | None, *, page: int | None = None
) -> str | None:
    """The same path with a cursor, or with the next page for those who count pages."""
    if position is None:
        return None
    going_on = {"cursor": encode_position(position)} if page is None else {"page": str(page + 1)}
    kept = {
        name: value
        for name, value in request.query_params.items()
        if name not in ("cursor", "page")
    }
    return f"{request.scope['path']}?{urlencode(kept | going_on)}"


def counted_page(request: Request, query: ListQuery, found: Slice[Item]) -> CountedPage[Item]:
    """A slice as an answer."""
    return CountedPage(
        items=list(found.items),
        next=next_path(request, found.rest_after, page=query.page),
        total=found.total,
    )
