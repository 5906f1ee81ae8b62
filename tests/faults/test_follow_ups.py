"""Corrections, and commits of rehearsals, while workers, Valkey and PostgreSQL fail."""

import asyncio
from collections.abc import Mapping
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from tests.faults.scene import HELD_NAME, Scene, is_back, people
from tests.support.waiting import until

KINDS = ["correction", "commit"]
ROWS = 1_000
LINE = 101
FIRST = int(HELD_NAME.removeprefix("person ")) - (LINE - 2)
"""So that the row on LINE is the one at which a COPY can be held."""
LOG_IS_WRITTEN = "SELECT pg_current_wal_flush_lsn() >= $1::text::pg_lsn"


async def to_be_followed(scene: Scene, kind: str) -> dict[str, Any]:
    """An import with one refused row, or a dry run."""
    bad = (LINE,) if kind == "correction" else ()
    options = {} if kind == "correction" else {"dry_run": "true"}
    content = people(ROWS, bad=bad, first=FIRST)
    done = await scene.ingest.finished(await scene.ingest.submit(content, **options))
    assert done["state"] == "succeeded", done["error"]
    assert (done["rows"]["loaded"], done["rows"]["rejected"]) == (ROWS - len(bad), len(bad))
    return done


async def follow(scene: Scene, first: Mapping[str, Any]) -> dict[str, Any]:
    """The refused row corrected, or the rehearsed rows committed."""
    path = f"/api/imports/{first['id']}"
    if first["dry_run"]:
        answer = await scene.ingest.post(f"{path}/commit")
    else:
        refused = (await scene.ingest.get(first["links"]["rejects"])).text
        corrected = refused.replace(f"{HELD_NAME},old", f"{HELD_NAME},50").encode()
        answer = await scene.ingest.upload(corrected, path=f"{path}/corrections", name="r.csv")
    assert answer.status_code == 202, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def is_all_well(scene: Scene, first: Mapping[str, Any], follow_up: Mapping[str, Any]) -> None:
    """Every row once, as the rows of one import, nothing refused and nothing left over."""
    done = await scene.ingest.finished(follow_up)
    assert done["state"] == "succeeded", done["error"]
    owner = follow_up if first["dry_run"] else first
    rows = await scene.ingest.owner.fetchrow(
        "SELECT count(*), count(DISTINCT name), min(_import), max(_import) FROM data.people"
    )
    assert tuple(rows) == (ROWS, ROWS, owner["id"], owner["id"])
    if first["dry_run"]:
        again = await scene.ingest.post(f"/api/imports/{first['id']}/commit")
        assert again.status_code == 409
    else:
        now = await scene.ingest.look(first)
        assert (now["rows"]["corrected"], now["rows"]["rejected"]) == (1, 0)
        assert (await scene.ingest.get(now["links"]["errors"])).json()["items"] == []
    await scene.is_clean()


@pytest.mark.parametrize("kind", KINDS)
async def test_killed_in_mid_copy(scene: Scene, kind: str) -> None:
    async with scene.worker() as worker:
        first = await to_be_followed(scene, kind)
        async with scene.held_in_copy():
            follow_up = await follow(scene, first)
            await scene.stands_in_copy()
            await worker.killed()
    async with scene.worker():
        await is_all_well(scene, first, follow_up)
        assert (await scene.ingest.look(follow_up))["attempt"] == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_killed_between_the_fence_and_the_commit(scene: Scene, kind: str) -> None:
    async with scene.worker():
        first = await to_be_followed(scene, kind)
    follow_up = await follow(scene, first)
    async with scene.held_in_fence(), scene.worker() as worker:
        await scene.stands_in_fence()
        await worker.killed()
    async with scene.worker():
        await is_all_well(scene, first, follow_up)


@pytest.mark.parametrize("kind", KINDS)
async def test_valkey_forgets_everything(scene: Scene, kind: str) -> None:
    async with scene.worker():
        first = await to_be_followed(scene, kind)
    follow_up = await follow(scene, first)
    async with Redis.from_url(scene.valkey.url) as redis:
        await redis.flushall()
    async with scene.worker():
        await is_all_well(scene, first, follow_up)


@pytest.mark.parametrize("kind", KINDS)
async def test_postgresql_restarts_in_mid_copy(scene: Scene, kind: str) -> None:
    async with scene.worker() as worker:
        first = await to_be_followed(scene, kind)
        async with scene.held_in_copy():
            follow_up = await follow(scene, first)
            await scene.stands_in_copy()
            witness = await asyncpg.connect(scene.ingest.database.superuser_url)
            # The tests' cluster commits before its log is written.
            here = await witness.fetchval("SELECT pg_current_wal_insert_lsn()::text")
            await until("the log is written", lambda: witness.fetchval(LOG_IS_WRITTEN, here))
            await asyncio.to_thread(scene.ingest.database.cluster.stop)
            await asyncio.to_thread(scene.ingest.database.cluster.start)
            await is_back(scene, witness)
        await is_all_well(scene, first, follow_up)
        assert worker.popen.poll() is None
