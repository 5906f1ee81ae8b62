"""Cursors take only what they gave, and `next` can be followed as it stands."""

import base64
import json
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI, Query, Request
from fastapi import Path as PathParameter
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

import shared.http.segment  # noqa: F401 - the convertors of the routes below
from shared.contracts.base import LARGEST_BIGINT, Id, Page
from shared.errors import InvalidInputError
from shared.http.context import take_raw_path
from shared.http.paging import Slice, cut, decoded, encoded, further, next_path, page
from shared.http.problems import add_problem_handlers
from shared.values.texts import is_storable

texts = st.text().filter(is_storable)


def as_cursor(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


@given(parts=st.lists(st.none() | texts, min_size=1, max_size=4), order=st.text(max_size=10))
def test_a_position_comes_back(parts: list[str | None], order: str) -> None:
    cursor = encoded(tuple(parts), order=order)
    assert decoded(cursor, parts=len(parts), order=order, nulls=True) == tuple(parts)


@given(st.text().filter(lambda text: not text.startswith("Wy")))
def test_what_is_no_cursor_is_refused_by_name(cursor: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        decoded(cursor, parts=1)
    (error,) = refused.value.errors
    assert (error.field, error.code) == ("cursor", "invalid_cursor")


@pytest.mark.parametrize(
    "content",
    [
        [],
        ["a"],
        ["a", "b", "c"],
        ["a", 1],
        ["a", None],
        ["a", "\0"],
        ["a", "\ud800"],
        {"a": "b"},
        "ab",
        7,
        [["a", "b"]],
        ["-name", ["a", "b"]],
    ],
)
def test_a_forged_cursor_is_refused(content: object) -> None:
    with pytest.raises(InvalidInputError) as refused:
        decoded(as_cursor(content), parts=2, code="cursor_unknown", field="after")
    (error,) = refused.value.errors
    assert (error.field, error.code) == ("after", "cursor_unknown")


def test_deep_nesting_is_refused() -> None:
    cursor = base64.urlsafe_b64encode(b"[" * 100_000).decode()
    with pytest.raises(InvalidInputError):
        decoded(cursor, parts=1)


@pytest.mark.parametrize("cursor", [encoded(("a",)), encoded(("a",), order="name")])
def test_a_cursor_belongs_to_its_order(cursor: str) -> None:
    with pytest.raises(InvalidInputError):
        decoded(cursor, parts=1, order="-name")


def test_another_order_is_named_as_the_reason() -> None:
    with pytest.raises(InvalidInputError, match="another order"):
        decoded(encoded(("a",), order="name"), parts=1, order="-name")


def by_number(number: int) -> tuple[str]:
    return (str(number),)


def test_a_list_goes_on_only_where_there_is_more() -> None:
    assert cut([1, 2, 3], limit=2, key=by_number) == Slice((1, 2), rest_after=("2",))
    assert cut([1, 2], limit=2, key=by_number, total=2) == Slice((1, 2), rest_after=None, total=2)
    assert cut([], limit=2, key=by_number).rest_after is None


def test_further_leaves_out_what_was_not_given() -> None:
    path = further("/a%2Fb", {"q": "x&y", "state": None, "open": True, "tag": ["a", "b"]}, after=3)
    assert path == "/a%2Fb?q=x%26y&open=true&tag=a&tag=b&after=3"
    assert further("/a", {"after": 1, "limit": 5}, after=2) == "/a?after=2&limit=5"


class Number(BaseModel):
    """An item as it is answered."""

    number: int


NUMBERS = range(1, 8)
router = APIRouter()


def numbers_after(after: int, limit: int) -> Slice[int]:
    rows = [number for number in NUMBERS if number > after][: limit + 1]
    return cut(rows, limit=limit, key=by_number)


def as_number(number: int) -> Number:
    return Number(number=number)


@router.get("/by-cursor/{name:segment}")
async def by_cursor(
    request: Request,
    name: str,
    tag: Annotated[str, Query()],
    cursor: str | None = None,
    limit: int = 2,
) -> Page[Number]:
    assert (name, tag) == ("a/b", "a&b")
    (last,) = ("0",) if cursor is None else decoded(cursor, parts=1, order="number")
    return page(request, numbers_after(int(last or 0), limit), as_number, order="number")


@router.get("/by-after")
async def by_after(request: Request, after: int = 0) -> Page[Number]:
    return page(request, numbers_after(after, 2), as_number, by="after")


@router.get("/by-page")
async def by_page(
    request: Request,
    page: int = 1,
) -> dict[str, Any]:
    found = numbers_after(2 * (page - 1), 2)
    return {
        "items": [{"number": number} for number in found.items],
        "next": next_path(request, found, by="page"),
    }


@router.get("/things/{id:int}")
async def thing(number: Annotated[Id, PathParameter(alias="id")]) -> int:
    return number


@pytest.fixture
def client() -> httpx2.AsyncClient:
    app = FastAPI()
    app.include_router(router)
    add_problem_handlers(app)

    async def with_raw_path(scope: Any, receive: Any, send: Any) -> None:
        take_raw_path(scope)
        await app(scope, receive, send)

    transport = httpx2.ASGITransport(app=with_raw_path)
    return httpx2.AsyncClient(transport=transport, base_url="http://lists")


@pytest.mark.parametrize("start", ["/by-cursor/a%2Fb?tag=a%26b&limit=3", "/by-after", "/by-page"])
async def test_next_leads_through_the_whole_list(client: httpx2.AsyncClient, start: str) -> None:
    seen: list[int] = []
    following: str | None = start
    while following is not None:
        answer = (await client.get(following)).json()
        seen += [item["number"] for item in answer["items"]]
        following = answer["next"]
    assert seen == list(NUMBERS)


@pytest.mark.parametrize(
    ("number", "status"),
    [
        ("1", 200),
        (str(LARGEST_BIGINT), 200),
        ("0", 422),
        (str(LARGEST_BIGINT + 1), 422),
        ("9" * 19, 422),
        ("1" + "0" * 19, 422),
        ("9" * 5000, 422),
        ("0" * 5000 + "7", 200),
        ("-1", 404),
    ],
)
async def test_an_id_that_no_bigint_holds_is_refused(
    client: httpx2.AsyncClient, number: str, status: int
) -> None:
    answer = await client.get(f"/things/{number}")
    assert answer.status_code == status
    if status == 422:
        assert answer.json()["errors"][0]["field"] == "id"
