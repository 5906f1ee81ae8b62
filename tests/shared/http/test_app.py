"""What `build_app` gives every service: readiness, limits for bodies, problem documents."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import APIRouter, Body, HTTPException, Request, Response
from fastapi.responses import StreamingResponse

from shared.contracts.base import RequestModel
from shared.contracts.problem import PROBLEM_MEDIA_TYPE
from shared.errors import UnauthenticatedError
from shared.http.app import STREAMED
from tests.shared.http.shop import Shop, running, shop_app
from tests.support.databases import Database

LIMIT = 1000
OWN_LIMIT = 5000


class Order(RequestModel):
    """A body that FastAPI reads itself."""

    text: str


plain = APIRouter(prefix="/plain")
own = APIRouter(prefix="/own", max_body_size=OWN_LIMIT)
outer = APIRouter(prefix="/outer")


@plain.get("/greeting")
async def greeting(request: Request) -> str:
    shop: Shop = request.state.process
    return shop.greeting


@plain.get("/both")
async def read_both() -> str:
    return "read"


@plain.delete("/both", status_code=204)
async def delete_both() -> None:
    return None


@plain.get("/endless")
async def endless() -> StreamingResponse:
    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0.01)

    return StreamingResponse(pieces(), media_type="text/plain")


@plain.head("/heads")
async def heads() -> Response:
    return Response(headers={"X-Own": "head"})


@plain.post("/order")
async def order(order: Order) -> int:
    return len(order.text)


@plain.post("/raw")
async def raw(request: Request) -> int:
    return len(await request.body())


@plain.post("/unread")
async def unread() -> None:
    raise UnauthenticatedError("send a token first")


@plain.post("/streamed", max_body_size=STREAMED)
async def streamed(request: Request) -> int:
    return sum([len(chunk) async for chunk in request.stream()])


@plain.get("/full")
async def full() -> None:
    raise HTTPException(status_code=418, detail="short and stout")


@own.post("/order")
async def order_more(order: Annotated[dict[str, Any], Body()]) -> int:
    return len(order["text"])


outer.include_router(plain)


@pytest.fixture(scope="module")
def broken() -> list[str]:
    return []


@pytest.fixture(scope="module")
async def shop(module_database: Database, broken: list[str]) -> AsyncIterator[httpx2.AsyncClient]:
    app = shop_app(module_database, [plain, own, outer], jammed=broken, body_limit_bytes=LIMIT)
    async with running(app) as client:
        yield client


async def test_routes_read_what_the_process_holds(shop: httpx2.AsyncClient) -> None:
    assert (await shop.get("/plain/greeting")).json() == "good morning"
    assert (await shop.get("/outer/plain/greeting")).json() == "good morning"


async def test_ready_when_postgresql_and_every_probe_answer(
    shop: httpx2.AsyncClient, broken: list[str]
) -> None:
    answer = await shop.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]) == (
        200,
        {"postgresql": "ok", "till": "ok"},
    )
    broken.append("jammed")
    answer = await shop.get("/readyz")
    broken.clear()
    assert (answer.status_code, answer.json()["checks"]) == (
        503,
        {"postgresql": "ok", "till": "down (ConnectionError)"},
    )


def as_text(size: int) -> bytes:
    head, tail = b'{"text": "', b'"}'
    return head + b"x" * (size - len(head) - len(tail)) + tail


async def in_pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 300):
        yield content[start : start + 300]


JSON: Mapping[str, str] = {"Content-Type": "application/json"}
PATHS = [
    ("/plain/order", LIMIT),
    ("/plain/raw", LIMIT),
    ("/outer/plain/order", LIMIT),
    ("/own/order", OWN_LIMIT),
]


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize(("path", "limit_bytes"), PATHS)
async def test_a_body_has_a_limit_whoever_reads_it(
    shop: httpx2.AsyncClient, path: str, limit_bytes: int, *, declared: bool
) -> None:
    for size, status in ((limit_bytes, 200), (limit_bytes + 1, 413)):
        body = as_text(size)
        content = body if declared else in_pieces(body)
        answer = await shop.post(path, content=content, headers=JSON)
        assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM_MEDIA_TYPE
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (413, "too_large")
    assert problem["limit_bytes"] == limit_bytes
    assert problem["request_id"] == answer.headers["x-request-id"]


async def test_a_declared_length_over_the_limit_is_a_problem_though_nobody_reads(
    shop: httpx2.AsyncClient,
) -> None:
    answer = await shop.post("/plain/unread", content=as_text(LIMIT + 1), headers=JSON)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == PROBLEM_MEDIA_TYPE
    assert answer.json()["limit_bytes"] == LIMIT
    assert (await shop.post("/plain/unread", headers=JSON)).status_code == 401


async def test_a_streamed_body_is_its_routes_business(shop: httpx2.AsyncClient) -> None:
    body = b"x" * (OWN_LIMIT * 100)
    assert (await shop.post("/plain/streamed", content=body)).json() == len(body)
    assert (await shop.post("/plain/streamed", content=in_pieces(body))).json() == len(body)


async def test_what_frameworks_refuse_is_a_problem_too(shop: httpx2.AsyncClient) -> None:
    refusals = {
        404: await shop.get("/nothing"),
        405: await shop.get("/plain/order"),
        418: await shop.get("/plain/full"),
        422: await shop.post("/plain/order", content=b"{", headers=JSON),
    }
    for status, answer in refusals.items():
        assert answer.status_code == status
        assert answer.headers["content-type"] == PROBLEM_MEDIA_TYPE
        assert answer.json()["request_id"]
    assert refusals[405].headers["allow"] == "POST"


async def test_head_is_where_get_is(shop: httpx2.AsyncClient) -> None:
    get, head = await shop.get("/plain/both"), await shop.head("/plain/both")
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "content-length"):
        assert head.headers[name] == get.headers[name]
    assert head.headers["x-request-id"]
    assert (await shop.head("/plain/heads")).headers["x-own"] == "head"
    assert (await shop.head("/plain/endless")).status_code == 200
    assert (await shop.head("/nothing")).status_code == 404
    assert (await shop.head("/plain/order")).status_code == 405


async def test_allow_names_every_method(shop: httpx2.AsyncClient) -> None:
    answer = await shop.post("/plain/both")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "DELETE, GET, HEAD"
    assert "DELETE, GET, HEAD" in answer.json()["detail"]
