"""Feeds under killed workers and a Redis that forgets: one import a tick, every row once."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from tests.faults.scene import BAD_LINES, Scene, people
from tests.ingest.feeds.driving import looked, made, run
from tests.ingest.feeds.serving import FileServer, file_server

PLANNED = "SELECT count(*) FROM ingest.imports WHERE planned_at IS NOT NULL"
FIRST = "SELECT min(id) FROM ingest.imports WHERE feed_id IS NOT NULL"
DUE = "UPDATE ingest.feeds SET next_run_at = now() - interval '1 second'"
NOTHING_DUE = "SELECT every(next_run_at > now()) FROM ingest.feeds"


@pytest_asyncio.fixture
async def server() -> AsyncIterator[FileServer]:
    async with file_server() as running:
        running.content, running.headers = people(), {"ETag": '"1"'}
        yield running


async def nightly(scene: Scene, server: FileServer) -> None:
    origin = {"kind": "http", "url": server.url}
    given: dict[str, Any] = {"from": origin, "schedule": {"cron": "0 0 1 1 *"}}
    await made(scene.ingest, **given)
    await scene.ingest.owner.execute(DUE)


async def test_killed_in_mid_run(scene: Scene, server: FileServer) -> None:
    await nightly(scene, server)
    async with scene.held_in_copy(), scene.worker() as worker:
        await scene.stands_in_copy()
        await worker.killed()
    async with scene.worker():
        done = await scene.is_all_well({"id": await scene.ingest.until(FIRST)})
        assert done["attempt"] == 1
        again = await scene.ingest.finished(await run(scene.ingest))
        assert again["unchanged"] is True
    assert await scene.ingest.owner.fetchval(PLANNED) == 1


async def test_killed_at_the_commit_of_its_rows(scene: Scene, server: FileServer) -> None:
    await nightly(scene, server)
    async with scene.held_at_commit(), scene.worker() as worker:
        await scene.stands_at_commit()
        await worker.killed()
    async with scene.worker():
        await scene.is_all_well({"id": await scene.ingest.until(FIRST)})
        # The file that was loaded last moved in the same commit as its rows.
        again = await scene.ingest.finished(await run(scene.ingest))
        assert again["unchanged"] is True
    feed = await looked(scene.ingest)
    assert feed["history"][-1]["rows"]["rejected"] == len(BAD_LINES)


async def test_three_workers_and_a_redis_that_forgets(scene: Scene, server: FileServer) -> None:
    await nightly(scene, server)
    scene.valkey.stop()
    async with scene.worker(), scene.worker(), scene.worker():
        await scene.is_all_well({"id": await scene.ingest.until(FIRST)})
        await scene.ingest.until(NOTHING_DUE)
        scene.valkey.start()
    assert await scene.ingest.owner.fetchval("SELECT count(*) FROM ingest.imports") == 1
