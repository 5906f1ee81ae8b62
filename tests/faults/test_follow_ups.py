"""Corrections, and commits of rehearsals, while workers, Valkey, PostgreSQL and disks fail."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
from redis.asyncio import Redis

from deploy.local.processes import NOBODY_UID
from deploy.local.valkey import Valkey
from tests.faults.scene import HELD_NAME, Scene, fill, is_back, people
from tests.ingest.driving import PEOPLE, running_ingest
from tests.support.databases import Database
from tests.support.issuer import Issuer
from tests.support.small_disk import small_disk
from tests.support.waiting import until

KINDS = ["correction", "commit"]
ROWS = 1_000
LINE = 101
FIRST = int(HELD_NAME.removeprefix("person ")) - (LINE - 2)
"""So that the row on LINE is the one at which a COPY can be held."""
DISK_BYTES = 8_000_000
TABLE = "SELECT id, _import, name, age FROM data.people ORDER BY id"
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
    if not first["dry_run"]:
        return await corrected(scene, first, f"{HELD_NAME},old", f"{HELD_NAME},50")
    return accepted(await scene.ingest.post(f"/api/imports/{first['id']}/commit"))


async def corrected(
    scene: Scene, first: Mapping[str, Any], old: str, new: str, count: int = -1
) -> dict[str, Any]:
    """A correction of the first `count` refused rows that hold a text; of all by default."""
    refused = (await scene.ingest.get(first["links"]["rejects"])).text
    path = f"/api/imports/{first['id']}/corrections"
    rows = refused.replace(old, new, count).encode()
    return accepted(await scene.ingest.upload(rows, path=path, name="r.csv"))


def accepted(answer: httpx2.Response) -> dict[str, Any]:
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


@asynccontextmanager
async def people_on(disk: Path, database: Database) -> AsyncIterator[None]:
    """The rows of `people` are on this disk, which PostgreSQL gets for it."""
    os.chown(disk, NOBODY_UID, NOBODY_UID)
    superuser = await asyncpg.connect(database.superuser_url)
    await superuser.execute(f"CREATE TABLESPACE {database.name} LOCATION '{disk}'")
    try:
        await superuser.execute(f"ALTER TABLE data.people SET TABLESPACE {database.name}")
        yield
    finally:
        await superuser.execute("DROP TABLE data.people")
        await superuser.execute(f"DROP TABLESPACE {database.name}")
        await superuser.close()


async def followed_on_a_full_disk(scene: Scene, kind: str, *, disk: Path, reason: str) -> None:
    """A follow-up fails without a trace while the disk is full, and is done once it is not.

    A correction of every second row, or the commit of a replace; one row stays refused, so that
    there is a report to keep.
    """
    ingest, filler = scene.ingest, disk / "filler"
    bad = tuple(range(2, ROWS + 2, 2)) if kind == "correction" else (LINE,)
    async with scene.worker():
        if kind == "commit":
            await ingest.finished(await ingest.submit(people(100, bad=())))
        options = {} if kind == "correction" else {"dry_run": "true", "mode": "replace"}
        first = await ingest.finished(await ingest.submit(people(ROWS, bad=bad), **options))
        assert first["state"] == "succeeded", first["error"]
    before = await ingest.owner.fetch(TABLE)
    if kind == "correction":
        follow_up = await corrected(scene, first, ",old", ",50", len(bad) - 1)
    else:
        follow_up = await follow(scene, first)
    await asyncio.to_thread(fill, filler)
    async with scene.worker():
        done = await ingest.finished(follow_up)
        assert (done["state"], done["error"]["code"]) == ("failed", "attempts_exhausted")
        assert reason in done["error"]["detail"]
        assert await ingest.owner.fetch(TABLE) == before
        now = await ingest.look(first)
        assert (now["rows"]["corrected"], now["rows"]["rejected"]) == (0, len(bad))
        filler.unlink()
        assert (await ingest.post(f"/api/imports/{follow_up['id']}/retry")).status_code == 202
        done = await ingest.finished(follow_up)
        assert done["state"] == "succeeded", done["error"]
        assert (done["rows"]["rejected"], await ingest.count()) == (1, ROWS - 1)
        assert len((await ingest.get(done["links"]["rejects"])).text.splitlines()) == 2
        await scene.is_clean()


@pytest.mark.parametrize("kind", KINDS)
async def test_the_disk_of_storage_is_full(
    database: Database, issuer: Issuer, own_valkey: Valkey, tmp_path: Path, kind: str
) -> None:
    with small_disk(tmp_path / "small", size_bytes=DISK_BYTES) as disk:
        async with running_ingest(
            database, issuer=issuer, redis_url=own_valkey.url, storage=disk
        ) as ingest:
            await ingest.peers.make_table("people", PEOPLE)
            scene = Scene(ingest=ingest, folder=tmp_path, valkey=own_valkey, api=None)
            await followed_on_a_full_disk(scene, kind, disk=disk, reason="no room left")


@pytest.mark.parametrize("kind", KINDS)
async def test_the_disk_of_the_database_is_full(scene: Scene, kind: str) -> None:
    database = scene.ingest.database
    folder = database.cluster.data.with_name(database.name)
    with small_disk(folder, size_bytes=DISK_BYTES) as disk:
        async with people_on(disk, database):
            await followed_on_a_full_disk(
                scene, kind, disk=disk, reason="the database's disk is full"
            )
    folder.rmdir()
