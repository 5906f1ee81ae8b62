"""NUL, lone surrogates and bytes that are no UTF-8 are refused by name, wherever they stand."""

from collections.abc import AsyncIterator
from typing import Annotated

import httpx2
import pytest
from fastapi import APIRouter, Form, Query, Request
from pydantic import Field, JsonValue, SecretStr

from shared.contracts.base import RequestModel
from tests.shared.http.shop import running, shop_app
from tests.support.databases import Database

ODD_ESCAPES = ["%00", "%ED%A0%80", "%FF", "x%C3"]
ODD_JSON = [r"a\u0000", r"\ud800", r"\udfffz"]
JSON = {"Content-Type": "application/json"}


class Note(RequestModel):
    """A model within a model."""

    text: str = ""


class Order(RequestModel):
    """A body of texts at several depths, and of free JSON."""

    name: str = ""
    tags: tuple[str, ...] = ()
    prices: dict[str, str | None] = Field(default_factory=dict)
    password: SecretStr | None = None
    note: Note = Note()
    free: JsonValue = None
    freely: dict[str, JsonValue] = Field(default_factory=dict)


class Search(RequestModel):
    """A query as a model."""

    q: str = ""
    limit: int = 1


class LogIn(RequestModel):
    """A form."""

    user: str


router = APIRouter()


@router.get("/things/{name:segment}")
async def thing(name: str, q: str = "") -> list[str]:
    return [name, q]


@router.get("/any/{name:segment}")
async def anything(name: str, request: Request) -> dict[str, str]:
    return {"name": name, **request.query_params}


@router.get("/search")
async def search(asked: Annotated[Search, Query()]) -> str:
    return asked.q


@router.post("/orders")
async def order(order: Order) -> str:
    return order.name


@router.post("/log-ins")
async def log_in(form: Annotated[LogIn, Form()]) -> str:
    return form.user


@pytest.fixture(scope="module")
async def shop(module_database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    async with running(shop_app(module_database, [router])) as client:
        yield client


def fields_of(answer: httpx2.Response, *, unreadable: bool = False) -> list[str]:
    expected = (400, "unreadable_query") if unreadable else (422, "invalid_input")
    assert (answer.status_code, answer.json()["code"]) == expected, answer.text
    codes = {error["code"] for error in answer.json()["errors"]}
    assert len(codes) == 1
    assert codes <= {"nul_byte", "bad_encoding", "json_invalid"}
    return [error["field"] for error in answer.json()["errors"]]


@pytest.mark.parametrize("odd", ODD_ESCAPES)
async def test_in_paths_and_queries(shop: httpx2.AsyncClient, odd: str) -> None:
    assert fields_of(await shop.get(f"/things/{odd}")) == ["name"]
    unreadable = odd != "%00"
    answer = await shop.get(f"/things/x?q={odd}")
    assert fields_of(answer, unreadable=unreadable) == ["q"]
    answer = await shop.get(f"/any/{odd}?a=1&b={odd}&c=2&d={odd}")
    assert fields_of(answer, unreadable=unreadable) == ["name", "b", "d"]
    answer = await shop.get(f"/search?q={odd}")
    assert fields_of(answer, unreadable=unreadable) == ["q"]
    (name,) = fields_of(await shop.get(f"/any/x?{odd}=1"), unreadable=unreadable)
    assert "\N{REPLACEMENT CHARACTER}" in name


@pytest.mark.parametrize("odd", ODD_JSON)
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"name": "%s"}', "name"),
        ('{"tags": ["a", "%s"]}', "tags"),
        ('{"prices": {"a": "%s"}}', "prices"),
        ('{"prices": {"%s": null}}', "prices"),
        ('{"password": "%s"}', "password"),
        ('{"note": {"text": "%s"}}', "note.text"),
    ],
)
async def test_in_bodies(shop: httpx2.AsyncClient, body: str, field: str, odd: str) -> None:
    answer = await shop.post("/orders", content=body.replace("%s", odd), headers=JSON)
    (named,) = fields_of(answer)
    assert named == field or named.startswith(f"{field}.")
    assert "\\u" not in answer.text


async def test_free_json_is_left_to_who_knows_it(shop: httpx2.AsyncClient) -> None:
    body = r'{"free": {"a": ["\u0000"]}, "freely": {"b": "\ud800"}}'
    assert (await shop.post("/orders", content=body, headers=JSON)).status_code == 200


@pytest.mark.parametrize(
    "body",
    [b'{"name": "\xff"}', b"\xff", b"[" * 100_000, b'{"name": ' + b"1" * 5000 + b"}"],
    ids=["no UTF-8 within", "no UTF-8", "nested", "digits"],
)
async def test_bytes_that_are_no_json_at_all(shop: httpx2.AsyncClient, body: bytes) -> None:
    answer = await shop.post("/orders", content=body, headers=JSON)
    assert fields_of(answer) == ["body"]
    assert answer.json()["errors"][0]["code"] == "json_invalid"


async def test_in_forms(shop: httpx2.AsyncClient) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await shop.post("/log-ins", content="user=a%00b", headers=form)
    assert fields_of(answer) == ["user"]
    assert (await shop.post("/log-ins", data={"user": "Zoë"})).json() == "Zoë"


async def test_letters_of_any_script_pass(shop: httpx2.AsyncClient) -> None:
    assert (await shop.get("/things/%C3%A9%2F%25?q=%F0%9F%8D%8E+%EF%BF%BD")).json() == [
        "é/%",
        "\N{RED APPLE} \N{REPLACEMENT CHARACTER}",
    ]
