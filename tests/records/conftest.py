"""The records service, whole and on a real port, with callers of every kind."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest_asyncio
from aiohttp import web

from deploy.local.processes import free_port
from services.records.main import create_app
from services.records.settings import RecordsSettings
from shared.contracts.auth import Caller, Role
from tests.support.databases import Database
from tests.support.issuer import Issuer, person
from tests.support.serving import serving

ANN = person("ann@example.com")
BOB = person("bob@example.com")
CAROL = person("carol@example.com")
ADMIN = person("admin@example.com", role=Role.ADMIN)


_numbers = itertools.count(1)


def new_name(start: str = "T") -> str:
    """A table's name that no other test has."""
    return f"{start}{next(_numbers)}"


def settings_for(database: Database, issuer: Issuer, *, catalog_url: str = "", **more: Any) -> Any:
    return RecordsSettings(
        redis_url="redis://127.0.0.1:1/0",
        auth_url=issuer.url,
        catalog_url=catalog_url or "http://127.0.0.1:1",
        records_url="http://127.0.0.1:1",
        ingest_url="http://127.0.0.1:1",
        database_url=database.url("records"),
        listen_database_url=database.direct_url("records"),
        service_client_secret="only-for-tests",
        **more,
    )


@dataclass
class Client:
    """HTTP calls by one caller."""

    http: httpx2.AsyncClient
    headers: dict[str, str]

    async def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        content: bytes | str | None = None,
        params: Any = None,
    ) -> httpx2.Response:
        sent = {**self.headers, **(headers or {})}
        if content is not None:
            sent.setdefault("Content-Type", "application/json")
            return await self.http.request(
                method, path, content=content, headers=sent, params=params
            )
        return await self.http.request(method, path, json=body, headers=sent, params=params)

    async def table(self, name: str, *columns: Any, **more: Any) -> Any:
        """Make a table; columns are definitions, or `name TYPE` for short."""
        definitions = [
            dict(zip(("name", "type"), each.split(" ", 1), strict=True))
            if isinstance(each, str)
            else each
            for each in columns
        ]
        answer = await self("POST", "/api/tables", {"name": name, "columns": definitions, **more})
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def insert(self, table: str, *records: Any) -> Any:
        answer = await self("POST", f"/api/tables/{table}/records", list(records))
        assert answer.status_code == 201, answer.text
        return answer.json()["ids"]


@dataclass
class Service:
    """A running service and its callers."""

    url: str
    issuer: Issuer
    database: Database
    http: httpx2.AsyncClient

    def by(self, caller: Caller | None) -> Client:
        headers = {} if caller is None else self.issuer.bearer(caller)
        return Client(http=self.http, headers=headers)

    @property
    def ann(self) -> Client:
        return self.by(self.issuer.know(ANN))

    @property
    def bob(self) -> Client:
        return self.by(self.issuer.know(BOB))

    @property
    def carol(self) -> Client:
        return self.by(self.issuer.know(CAROL))

    @property
    def admin(self) -> Client:
        return self.by(self.issuer.know(ADMIN))


@dataclass
class FakeCatalog:
    """Keeps the events that the service tells; hand-written, on a real port."""

    url: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    down: bool = False


@asynccontextmanager
async def running_catalog() -> AsyncIterator[FakeCatalog]:
    fake = FakeCatalog()

    async def take(request: web.Request) -> web.Response:
        if fake.down:
            return web.json_response({}, status=503)
        fake.events.append(await request.json())
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/internal/catalog/table-events", take)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    fake.url = f"http://127.0.0.1:{port}"
    try:
        yield fake
    finally:
        await runner.cleanup()


@pytest_asyncio.fixture
async def catalog() -> AsyncIterator[FakeCatalog]:
    """One that hears of this test's tables alone."""
    async with running_catalog() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service(module_database: Database, issuer: Issuer) -> AsyncIterator[Service]:
    async with (
        # One that never answered would have every event of every test tried again and again.
        running_catalog() as catalog,
        serving(create_app(settings_for(module_database, issuer, catalog_url=catalog.url))) as url,
        httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60) as http,
    ):
        yield Service(url=url, issuer=issuer, database=module_database, http=http)
