"""What ingest is told of tables, for webhooks."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest_asyncio
from aiohttp import web

from services.records.main import create_app
from tests.records.conftest import ANN, BOB, Client, new_name, settings_for
from tests.support.databases import Database
from tests.support.issuer import Issuer
from tests.support.serving import serving
from tests.support.waiting import until


@dataclass
class News:
    """Ingest as records sees it: keeps what it is told, and can be away."""

    items: list[dict[str, Any]] = field(default_factory=list)
    down: bool = False
    refused: int = 0

    async def take(self, request: web.Request) -> web.Response:
        if self.down:
            self.refused += 1
            return web.json_response({}, status=503)
        self.items.append(await request.json())
        return web.Response(status=204)

    async def of(self, table: str, count: int) -> list[dict[str, Any]]:
        def there() -> bool:
            return len([item for item in self.items if item["table"] == table]) >= count

        await until(f"{count} events of {table}", there, timeout_s=60)
        return [item for item in self.items if item["table"] == table]


@pytest_asyncio.fixture
async def news() -> News:
    return News()


@pytest_asyncio.fixture
async def ann(module_database: Database, issuer: Issuer, news: News) -> AsyncIterator[Client]:
    """A caller of a service that has an ingest."""
    app = web.Application()
    app.router.add_post("/internal/events", news.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    settings = settings_for(module_database, issuer).model_copy(
        update={"ingest_url": f"http://127.0.0.1:{runner.addresses[0][1]}"}
    )
    issuer.know(BOB)
    try:
        async with (
            serving(create_app(settings)) as url,
            httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60) as http,
        ):
            yield Client(http, issuer.bearer(ANN))
    finally:
        await runner.cleanup()


async def test_a_table_is_told_as_it_was_after_each_change(ann: Client, news: News) -> None:
    name = new_name()
    created = await ann.table(name, "note TEXT")
    grant = await ann("PUT", f"/api/tables/{name}/grants/{BOB.email}", {"level": "viewer"})
    assert grant.status_code == 200, grant.text
    change = {"add": [{"name": "age", "type": "INTEGER"}], "description": "Who is how old"}
    changed = (await ann("PATCH", f"/api/tables/{name}", change)).json()
    assert (await ann("DELETE", f"/api/tables/{name}")).status_code == 204
    first, second, third = await news.of(name, 3)
    assert [item["type"] for item in (first, second, third)] == [
        "table.created", "table.changed", "table.deleted",
    ]  # fmt: skip
    assert first["data"] == created
    assert second["data"] == changed
    assert third["data"]["columns"] == changed["columns"]
    assert first["seen_by"] == {ANN.sub: "owner"}
    assert third["seen_by"] == {ANN.sub: "owner", BOB.sub: "viewer"}
    assert len({item["message_id"] for item in news.items}) == 3


async def test_a_renamed_table_is_told_under_its_new_name(ann: Client, news: News) -> None:
    name, other = new_name(), new_name()
    await ann.table(name, "note TEXT")
    assert (await ann("PATCH", f"/api/tables/{name}", {"rename": other})).status_code == 200
    (changed,) = await news.of(other, 1)
    assert (changed["type"], changed["data"]["name"]) == ("table.changed", other)


async def test_what_did_not_happen_is_not_told_and_nothing_is_lost(ann: Client, news: News) -> None:
    news.down = True
    name = new_name()
    await ann.table(name, "note TEXT")
    again = await ann("POST", "/api/tables", {"name": name, "columns": []})
    assert again.status_code in (409, 422)
    await until("a refusal", lambda: news.refused > 0, timeout_s=60)
    news.down = False
    (told,) = await news.of(name, 1)
    assert told["type"] == "table.created"
