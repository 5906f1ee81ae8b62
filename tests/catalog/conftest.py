"""A running catalog with its own database, and callers of it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import asyncpg
import httpx2
import pytest_asyncio
from pydantic import SecretStr

from services.catalog.main import create_app
from services.catalog.settings import CatalogSettings
from shared.contracts.auth import Caller
from tests.catalog.peers import Peers, running_peers
from tests.support.databases import Database, emptying
from tests.support.issuer import Issuer, peer, person
from tests.support.serving import serving
from tests.support.waiting import until

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def at(minute: float) -> datetime:
    """A time of the tests' own clock."""
    return START + timedelta(minutes=minute)


def settings_for(database: Database, issuer: Issuer, peers_url: str) -> CatalogSettings:
    return CatalogSettings(
        database_url=SecretStr(database.url("catalog")),
        listen_database_url=SecretStr(database.direct_url("catalog")),
        redis_url=SecretStr("redis://127.0.0.1:1/0"),
        auth_url=issuer.url,
        catalog_url="http://127.0.0.1:1",
        records_url=peers_url,
        ingest_url=peers_url,
        service_client_id="catalog",
        service_client_secret=SecretStr("only-for-tests"),
    )


@dataclass
class Catalog:
    """Calls of a running catalog by a person (by default) or by one of our services."""

    http: httpx2.AsyncClient
    issuer: Issuer
    database: Database
    peers: Peers
    reader: Caller
    url: str
    owner: "asyncpg.Pool[asyncpg.Record]"

    async def get(
        self, path: str, params: Mapping[str, Any] | None = None, *, caller: Caller | None = None
    ) -> httpx2.Response:
        headers = self.issuer.bearer(caller or self.reader)
        return await self.http.get(path, params=params, headers=headers)

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        caller: Caller | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        headers = {**self.issuer.bearer(caller or self.reader), **(headers or {})}
        return await self.http.request(method, path, json=body, headers=headers)

    async def tell(self, path: str, body: Mapping[str, Any]) -> None:
        answer = await self.send("POST", f"/internal/catalog/{path}", body, caller=peer("ingest"))
        assert answer.status_code == 204, answer.text

    async def see_edge(
        self, etl: str, schema: str, table: str, *, import_id: int = 1, minute: float = 0
    ) -> None:
        await self.tell(
            "edges",
            {
                "etl_name": etl,
                "schema_name": schema,
                "table_name": table,
                "import_id": import_id,
                "seen_at": at(minute).isoformat(),
            },
        )

    async def see_table(self, kind: str, name: str, *, minute: float, **more: str) -> None:
        await self.tell(
            "table-events",
            {
                "kind": kind,
                "schema_name": "data",
                "table_name": name,
                "occurred_at": at(minute).isoformat(),
                **more,
            },
        )

    async def stream(
        self, path: str, content: Any, *, caller: Caller | None = None, **params: Any
    ) -> httpx2.Response:
        headers = self.issuer.bearer(caller or peer("ingest"))
        headers["Content-Type"] = "application/x-ndjson"
        return await self.http.post(
            f"/internal/catalog/{path}",
            content=content,
            params=params,
            headers=headers,
            timeout=120,
        )

    async def tables_of(self, etl: str) -> list[tuple[str, str]]:
        """Schema and name of every table of an ETL, through the verb face."""
        answer = await self.get(f"/api/etl/{quote(etl, safe='')}/tables")
        assert answer.status_code == 200, answer.text
        assert answer.json()["name"] == etl
        return [(table["schema"], table["name"]) for table in answer.json()["tables"]]

    async def table(
        self, schema: str, name: str, *, caller: Caller | None = None
    ) -> dict[str, Any]:
        path = f"/api/catalog/tables/{quote(schema, safe='')}/{quote(name, safe='')}"
        answer = await self.get(path, caller=caller)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def empty(self) -> None:
        """Forget everything."""
        query = emptying("catalog")

        async def emptied() -> bool:
            await self.owner.execute(query)
            return True

        # The service's own duties lock some of the rows in another order.
        await until("all is empty", emptied, bearing=(asyncpg.DeadlockDetectedError,))

    async def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What the database's owner reads."""
        return [tuple(row) for row in await self.owner.fetch(query, *parameters)]


@asynccontextmanager
async def running_catalog(database: Database, issuer: Issuer) -> AsyncIterator[Catalog]:
    async with running_peers() as peers:
        app = create_app(settings_for(database, issuer, peers.url))
        async with (
            serving(app) as url,
            httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60) as http,
            asyncpg.create_pool(database.direct_url(), min_size=1, max_size=4) as owner,
        ):
            yield Catalog(
                http=http,
                issuer=issuer,
                database=database,
                peers=peers,
                reader=person("ann@example.com"),
                url=url,
                owner=owner,
            )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running(module_database: Database, issuer: Issuer) -> AsyncIterator[Catalog]:
    """One service for all tests of a module: starting one takes longer than most tests."""
    async with running_catalog(module_database, issuer) as catalog:
        yield catalog


@pytest_asyncio.fixture
async def catalog(running: Catalog) -> Catalog:
    """A catalog with nothing in it."""
    await running.empty()
    running.peers.clear()
    return running
