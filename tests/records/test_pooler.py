"""Records by way of PgBouncer in transaction mode, before a server with other customs."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
import httpx2
import pytest
import pytest_asyncio

from services.records.main import create_app
from tests.records.conftest import Service, new_name, settings_for
from tests.support.databases import Database
from tests.support.issuer import Issuer
from tests.support.pooler import running_pooler
from tests.support.serving import serving

CUSTOMS = {"timezone": "Europe/Paris", "datestyle": "SQL, DMY", "intervalstyle": "postgres"}
SESSIONS = 2
"""Of the pooler in PostgreSQL, for each log-in: fewer than the service has connections."""
COLUMNS = ["tz TIMESTAMPTZ", "d DATE", "i INTERVAL", "ts TIMESTAMP", "at TIME"]
RECORD = {
    "tz": "2024-05-01T12:00:00+00:00",
    "d": "2024-02-29",
    "i": "P1Y2M3DT4H5M6S",
    "ts": "2024-05-01T12:00:00",
    "at": "10:00:00",
}


@dataclass(frozen=True)
class Two:
    """The same service twice: by way of the pooler, and directly."""

    pooled: Service
    direct: Service


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def two(module_database: Database, issuer: Issuer, state_folder: Path) -> AsyncIterator[Two]:
    direct = replace(module_database, pooler=None)
    owner = await asyncpg.connect(direct.superuser_url)
    for name, value in CUSTOMS.items():
        await owner.execute(f"ALTER DATABASE {direct.name} SET {name} = '{value}'")
    await owner.close()
    with running_pooler(
        direct.cluster, state_folder / "records-pooler", default_pool_size=SESSIONS
    ) as pooler:
        pooled = replace(direct, pooler=pooler)
        async with (
            serving(create_app(settings_for(pooled, issuer))) as pooled_url,
            serving(create_app(settings_for(direct, issuer))) as direct_url,
            httpx2.AsyncClient(base_url=pooled_url, trust_env=False, timeout=60) as by_pooler,
            httpx2.AsyncClient(base_url=direct_url, trust_env=False, timeout=60) as by_itself,
        ):
            yield Two(
                Service(pooled_url, issuer, pooled, by_pooler),
                Service(direct_url, issuer, direct, by_itself),
            )


@pytest.mark.parametrize("form", ["csv", "ndjson", "json", "parquet", "arrow", "xlsx"])
async def test_every_export_is_the_one_without_a_pooler(two: Two, form: str) -> None:
    table = new_name()
    await two.pooled.ann.table(table, *COLUMNS)
    await two.pooled.ann.insert(table, RECORD)
    path = f"/api/tables/{table}/export"
    params = {"format": form}
    direct = (await two.direct.ann("GET", path, params=params)).content
    # After the first, a session has had other clients.
    for _ in range(2 * SESSIONS):
        page = await two.pooled.ann("GET", f"/api/tables/{table}/records")
        assert page.json()["items"] == [{"id": 1, **RECORD}]
        export = await two.pooled.ann("GET", path, params=params)
        if form in ("csv", "ndjson", "json"):
            assert export.content == direct
        assert len(export.content) == len(direct)
    if form == "ndjson":
        assert json.loads(direct) == {"id": 1, **RECORD}


async def test_an_etag_holds_behind_a_pooler(two: Two) -> None:
    table = new_name()
    await two.pooled.ann.table(table, "a INTEGER")
    (record_id,) = await two.pooled.ann.insert(table, {"a": 1})
    path = f"/api/tables/{table}/records/{record_id}"
    tag = (await two.pooled.ann("GET", path)).headers["ETag"]
    assert (await two.direct.ann("GET", path)).headers["ETag"] == tag
    changed = await two.direct.ann("PATCH", path, {"a": 2}, headers={"If-Match": tag})
    assert changed.status_code == 200
    stale = await two.pooled.ann("PATCH", path, {"a": 3}, headers={"If-Match": tag})
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_etag")
    fresh = changed.headers["ETag"]
    again = await two.pooled.ann("PATCH", path, {"a": 3}, headers={"If-Match": fresh})
    assert again.status_code == 200


async def test_readiness_is_asked_by_way_of_the_pooler(two: Two) -> None:
    answer = await two.pooled.http.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]) == (200, {"postgresql": "ok"})
