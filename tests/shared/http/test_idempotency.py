"""`Idempotency-Key` on a service's POSTs: one answer, one effect, and no secrets kept."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

import asyncpg
import httpx2
import pytest_asyncio
from fastapi import APIRouter, BackgroundTasks, Request, Security
from fastapi.responses import StreamingResponse
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.catalog.tables import BOOKS, idempotency
from shared.contracts.auth import Caller, Scope
from shared.contracts.base import RequestModel
from shared.errors import ConflictError, ForbiddenError
from shared.http.app import build_app
from shared.http.caller import authenticated
from shared.http.idempotency import answers_secret, not_idempotent
from shared.http.peers import http_client
from shared.process.settings import ServiceSettings
from shared.security.tokens import JwksOverHttp, Verifier
from shared.store.engine import database_engine
from shared.store.idempotency import HEADER, purge
from shared.store.transaction import transaction
from tests.support.databases import Database
from tests.support.issuer import Issuer, machine
from tests.support.serving import serving

ANN = machine("ann", Scope.CATALOG_WRITE)
NARROW = machine("ann", Scope.CATALOG_READ)
MADE = "INSERT INTO catalog.etls (name) VALUES (:name) ON CONFLICT DO NOTHING RETURNING id"
ENDED = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'catalog'"


Pause = Callable[[], Awaitable[None]]


async def nothing() -> None:
    """In place of what a test does at that moment."""


@dataclass
class Shop:
    """What a process of this test's service holds."""

    engine: AsyncEngine
    verifier: Verifier
    banned: set[str] = field(default_factory=set)
    done: list[str] = field(default_factory=list)
    after_commit: Pause = nothing
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    at_work: asyncio.Event = field(default_factory=asyncio.Event)


class Order(RequestModel):
    """A body that FastAPI reads itself."""

    name: str


router = APIRouter()
Buyer = Annotated[Caller, Security(authenticated, scopes=[Scope.CATALOG_WRITE])]


def shop_of(request: Request) -> Shop:
    shop: Shop = request.state.process
    return shop


async def made(shop: Shop, name: str, *, before_seal: Pause = nothing) -> int:
    async with transaction(shop.engine, BOOKS) as tx:
        number = (await tx.connection.execute(text(MADE), {"name": name})).scalar()
        if number is None:
            raise ConflictError("this name is taken")
        await before_seal()
        await tx.seal()
    return int(number)


@router.post("/orders", status_code=201)
async def order(
    request: Request, _buyer: Buyer, order: Order, background: BackgroundTasks
) -> dict[str, Any]:
    shop = shop_of(request)
    background.add_task(shop.done.append, order.name)
    number = await made(shop, order.name)
    await shop.after_commit()
    return {"id": number}


@router.post("/slow-orders", status_code=201)
async def slow_order(request: Request, _buyer: Buyer, order: Order) -> dict[str, Any]:
    shop = shop_of(request)

    async def pause() -> None:
        shop.at_work.set()
        await shop.gate.wait()

    return {"id": await made(shop, order.name, before_seal=pause)}


@router.post("/secrets", status_code=201)
@answers_secret
async def secret(request: Request, _buyer: Buyer, order: Order) -> dict[str, Any]:
    return {"id": await made(shop_of(request), order.name), "secret": "hush"}


@router.post("/dice")
@not_idempotent("each throw is another one")
async def dice(request: Request, _buyer: Buyer) -> int:
    shop = shop_of(request)
    shop.done.append("thrown")
    return len(shop.done)


@router.post("/looks")
async def look(request: Request, _buyer: Buyer) -> int:
    """Has no transaction of its own."""
    shop = shop_of(request)
    shop.done.append("looked")
    return len(shop.done)


@router.post("/streams")
async def stream(request: Request, _buyer: Buyer) -> StreamingResponse:
    shop = shop_of(request)
    shop.done.append("streamed")

    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    return StreamingResponse(pieces())


@router.post("/taken")
async def taken(_buyer: Buyer) -> None:
    raise ConflictError("taken")


async def not_banned(request: Request, caller: Caller) -> None:
    if caller.sub in shop_of(request).banned:
        raise ForbiddenError("banned")


@dataclass
class Client:
    """A running service, its process, and a person who calls it."""

    http: httpx2.AsyncClient
    shop: Shop
    issuer: Issuer
    look: "asyncpg.Connection[asyncpg.Record]"

    async def __call__(
        self, path: str, key: str | None, body: Any = None, *, by: Caller = ANN
    ) -> httpx2.Response:
        headers = self.issuer.bearer(by) | ({} if key is None else {HEADER: key})
        return await self.http.post(path, json=body, headers=headers)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service(module_database: Database, issuer: Issuer) -> AsyncIterator[Client]:
    url = module_database.url("catalog")
    settings = ServiceSettings(
        redis_url="redis://127.0.0.1:1/0",
        auth_url=issuer.url,
        catalog_url="http://127.0.0.1:1",
        records_url="http://127.0.0.1:1",
        ingest_url="http://127.0.0.1:1",
        database_url=url,
        service_client_id="shop",
        service_client_secret="only-for-tests",
    )
    shops: list[Shop] = []

    @asynccontextmanager
    async def opened(settings: ServiceSettings) -> AsyncIterator[Shop]:
        async with (
            http_client() as http,
            database_engine(url, application_name="test") as engine,
        ):
            shops.append(Shop(engine, Verifier(JwksOverHttp(http, settings), settings)))
            yield shops[0]

    app = build_app(
        settings,
        service="test",
        title="Shop",
        opened=opened,
        routers=[router],
        books=BOOKS,
        may_have=not_banned,
    )
    look = await asyncpg.connect(module_database.superuser_url)
    async with (
        serving(app) as base,
        httpx2.AsyncClient(base_url=base, trust_env=False, timeout=60) as http,
    ):
        yield Client(http, shops[0], issuer, look)
    await look.close()


@pytest_asyncio.fixture
async def call(service: Client) -> Client:
    """The service as if nobody had called it yet."""
    await service.look.execute("TRUNCATE catalog.etls, catalog.idempotency")
    shop = service.shop
    shop.banned.clear()
    shop.done.clear()
    shop.gate.clear()
    shop.at_work.clear()
    shop.after_commit = nothing
    return service


async def test_the_first_answer_is_given_again(call: Client) -> None:
    first = await call("/orders", "k1", {"name": "a"})
    again = await call("/orders", "k1", {"name": "a"})
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert call.shop.done == ["a"]
    other = await call("/orders", "k1", {"name": "b"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_what_a_post_does_without_a_transaction_is_answered_once_too(call: Client) -> None:
    answers = [await call("/looks", "k1") for _ in range(3)]
    assert [(each.status_code, each.json()) for each in answers] == [(200, 1)] * 3


async def test_a_key_holds_for_24_hours(call: Client) -> None:
    await call("/looks", "k1")
    await call.look.execute("UPDATE catalog.idempotency SET created_at = now() - interval '1 day'")
    assert (await call("/looks", "k1")).json() == 2
    await purge(call.shop.engine, idempotency)
    assert (await call("/looks", "k1")).json() == 2
    await call.look.execute("UPDATE catalog.idempotency SET created_at = now() - interval '1 day'")
    await purge(call.shop.engine, idempotency)
    assert await call.look.fetchval("SELECT count(*) FROM catalog.idempotency") == 0


async def test_a_second_request_at_the_same_time_gets_the_first_answer(call: Client) -> None:
    """It finds the name taken, or the key sealed, and is answered with what the first one was."""
    both = [asyncio.create_task(call("/slow-orders", "k1", {"name": "a"})) for _ in range(2)]
    await call.shop.at_work.wait()
    call.shop.gate.set()
    first, second = await asyncio.gather(*both)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert await call.look.fetchval("SELECT count(*) FROM catalog.etls") == 1


async def test_a_try_that_died_before_its_commit_leaves_the_key_free(call: Client) -> None:
    lost = asyncio.create_task(call("/slow-orders", "k1", {"name": "a"}))
    await call.shop.at_work.wait()
    await call.look.execute(ENDED)
    call.shop.gate.set()
    assert (await lost).status_code == 503
    again = await call("/slow-orders", "k1", {"name": "a"})
    assert again.status_code == 201


async def test_work_is_not_done_twice_when_its_answer_was_lost(call: Client) -> None:
    await call("/orders", "k1", {"name": "a"})
    await call.look.execute(
        "UPDATE catalog.idempotency"
        " SET status = NULL, body = NULL, created_at = now() - interval '1 minute'"
    )
    again = await call("/orders", "k1", {"name": "a"})
    assert (again.status_code, again.json()["code"]) == (409, "idempotency_answer_lost")
    assert call.shop.done == ["a"]


async def test_work_that_was_committed_is_answered_although_the_answer_cannot_be_kept(
    call: Client, module_database: Database
) -> None:
    async def go_away() -> None:
        await call.look.execute(f"ALTER DATABASE {module_database.name} CONNECTION LIMIT 0")
        await call.look.execute(ENDED)

    call.shop.after_commit = go_away
    answer = await call("/orders", "k1", {"name": "a"})
    assert answer.status_code == 201
    await call.look.execute(f"ALTER DATABASE {module_database.name} CONNECTION LIMIT -1")
    await call.look.execute(
        "UPDATE catalog.idempotency SET created_at = now() - interval '1 minute'"
    )
    again = await call("/orders", "k1", {"name": "a"})
    assert (again.status_code, again.json()["code"]) == (409, "idempotency_answer_lost")


async def test_a_secret_is_answered_once_and_not_kept(call: Client) -> None:
    first = await call("/secrets", "k1", {"name": "a"})
    assert first.json()["secret"] == "hush"
    again = await call("/secrets", "k1", {"name": "a"})
    assert (again.status_code, again.json()["code"]) == (409, "idempotency_answer_lost")
    assert "secret" in again.json()["detail"]
    kept = await call.look.fetch("SELECT * FROM catalog.idempotency")
    assert len(kept) == 1
    assert "hush" not in repr(kept)
    assert "k1" not in repr(kept)


async def test_what_is_marked_takes_no_key(call: Client) -> None:
    assert [(await call("/dice", "k1")).json() for _ in range(2)] == [1, 2]
    document = (await call.http.get("/internal/openapi.json")).json()
    named = {
        path
        for path, operations in document["paths"].items()
        if any(each["name"] == HEADER for each in operations["post"].get("parameters", []))
    }
    assert named == {"/orders", "/slow-orders", "/secrets", "/looks", "/streams", "/taken"}


async def test_a_stream_passes_and_is_not_kept(call: Client) -> None:
    answers = [(await call("/streams", "k1")).text for _ in range(2)]
    assert answers == ["onetwo", "onetwo"]
    assert call.shop.done == ["streamed", "streamed"]


async def test_a_refusal_is_not_kept(call: Client) -> None:
    refused = await call("/taken", "k1")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert (await call("/looks", "k1")).status_code == 200


async def test_an_answer_is_for_those_alone_who_may_still_have_it(call: Client) -> None:
    await call("/orders", "k1", {"name": "a"})
    narrowed = await call("/orders", "k1", {"name": "a"}, by=NARROW)
    assert (narrowed.status_code, narrowed.json()["code"]) == (403, "scope_missing")
    call.shop.banned.add(ANN.sub)
    banned = await call("/orders", "k1", {"name": "a"})
    assert (banned.status_code, banned.json()["code"]) == (403, "forbidden")
    call.shop.banned.clear()
    assert (await call("/orders", "k1", {"name": "a"})).status_code == 201
    bare = await call.http.post("/orders", json={"name": "a"}, headers={HEADER: "k1"})
    assert bare.status_code == 401
