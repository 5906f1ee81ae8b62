"""Undos and the rows kept for them, while workers, Valkey, PostgreSQL and the disk fail."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from deploy.local.valkey import Valkey
from tests.faults.scene import TRIED_AGAIN, Scene, fill, is_back, people
from tests.ingest.driving import PEOPLE, running_ingest
from tests.support.databases import Database
from tests.support.issuer import Issuer
from tests.support.small_disk import small_disk
from tests.support.waiting import until

TABLE = """
SELECT md5(string_agg(p::text, ',' ORDER BY id))
FROM (SELECT id, _import, name, age FROM data.people) p"""

LOG_IS_WRITTEN = "SELECT pg_current_wal_flush_lsn() >= $1::text::pg_lsn"


async def loaded(scene: Scene, content: bytes, **options: Any) -> dict[str, Any]:
    done = await scene.ingest.finished(await scene.ingest.submit(content, **options))
    assert done["state"] == "succeeded", done["error"]
    return done


async def undo(scene: Scene, import_: Mapping[str, Any]) -> dict[str, Any]:
    answer = await scene.ingest.post(f"/api/imports/{import_['id']}/undo")
    assert answer.status_code == 202, answer.text
    body: dict[str, Any] = answer.json()
    return body


@asynccontextmanager
async def held_in_deletion(scene: Scene, import_: Mapping[str, Any]) -> AsyncIterator[None]:
    """The undo stands still in the middle of what it deletes, at a row that is locked."""
    async with scene.ingest.owner.acquire() as blocker:
        transaction = blocker.transaction()
        await transaction.start()
        await blocker.execute(
            "SELECT 1 FROM data.people WHERE _import = $1 ORDER BY id DESC LIMIT 1 FOR UPDATE",
            import_["id"],
        )
        try:
            yield
        finally:
            # A test may have ended the server meanwhile, and this session with it.
            with suppress(asyncpg.InterfaceError, asyncpg.PostgresConnectionError):
                await transaction.rollback()


async def stands_in_deletion(scene: Scene) -> int:
    pid: int = await scene.ingest.until(
        "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        " AND usename = 'ingest' AND query LIKE 'DELETE%'"
    )
    return pid


async def is_undone(scene: Scene, undo: Mapping[str, Any], *, before: str) -> dict[str, Any]:
    done = await scene.ingest.finished(undo)
    assert done["state"] == "succeeded", done["error"]
    assert await scene.ingest.owner.fetchval(TABLE) == before
    marked = await scene.ingest.look({"id": done["follows"]})
    assert marked["undone"]["import"] == done["id"]
    return done


@pytest.mark.parametrize("mode", ["append", "upsert", "replace"])
async def test_killed_in_mid_undo(scene: Scene, mode: str) -> None:
    more = {"key": "name"} if mode == "upsert" else {}
    async with scene.worker() as worker:
        await loaded(scene, people(1_000, bad=()))
        before = await scene.ingest.owner.fetchval(TABLE)
        content = people(1_000, bad=(), first=501 if mode != "append" else 2_001)
        import_ = await loaded(scene, content, mode=mode, **more)
        async with held_in_deletion(scene, import_):
            undoing = await undo(scene, import_)
            if mode == "upsert":
                # Its last row is one that it inserted.
                assert import_["rows"]["inserted"] == 500
            await stands_in_deletion(scene)
            await worker.killed()
    assert (await scene.ingest.look(import_))["undone"] is None
    async with scene.worker():
        done = await is_undone(scene, undoing, before=before)
        assert done["attempt"] == 1
        await scene.ingest.until("SELECT count(*) = 0 FROM ingest.outbox")


async def test_valkey_forgets_everything_in_mid_undo(scene: Scene) -> None:
    async with scene.worker(worker_concurrency=1):
        before = await scene.ingest.owner.fetchval(TABLE)
        import_ = await loaded(scene, people(1_000, bad=()))
        async with held_in_deletion(scene, import_):
            undoing = await undo(scene, import_)
            await stands_in_deletion(scene)
            async with Redis.from_url(scene.valkey.url) as redis:
                await redis.flushall()
        done = await is_undone(scene, undoing, before=before)
        assert done["attempt"] == 1


@pytest.mark.parametrize("how", ["crash", "restart"])
async def test_postgresql_goes_in_mid_undo(scene: Scene, how: str) -> None:
    async with scene.worker() as worker:
        await loaded(scene, people(1_000, bad=()))
        before = await scene.ingest.owner.fetchval(TABLE)
        import_ = await loaded(scene, people(1_000, bad=(), first=501), mode="replace")
        async with held_in_deletion(scene, import_):
            undoing = await undo(scene, import_)
            pid = await stands_in_deletion(scene)
            witness = await asyncpg.connect(scene.ingest.database.superuser_url)
            # The tests' cluster commits before its log is written: a crash would forget the undo.
            here = await witness.fetchval("SELECT pg_current_wal_insert_lsn()::text")
            await until("the log is written", lambda: witness.fetchval(LOG_IS_WRITTEN, here))
            if how == "crash":
                os.kill(pid, signal.SIGKILL)
            else:
                await asyncio.to_thread(scene.ingest.database.cluster.stop)
                await asyncio.to_thread(scene.ingest.database.cluster.start)
            await is_back(scene, witness)
        await scene.ingest.until(f"SELECT {TRIED_AGAIN} FROM ingest.imports WHERE kind = 'undo'")
        await is_undone(scene, undoing, before=before)
        assert worker.popen.poll() is None


async def test_killed_between_the_fence_of_a_load_and_its_commit(scene: Scene) -> None:
    async with scene.worker():
        await loaded(scene, people(1_000, bad=()))
    before = await scene.ingest.owner.fetchval(TABLE)
    import_ = await scene.ingest.submit(people(1_000, bad=(), first=501), mode="replace")
    async with scene.held_in_fence(), scene.worker() as worker:
        await scene.stands_in_fence()
        assert len([path for path in scene.ingest.stored() if path.startswith("former/")]) == 1
        await worker.killed()
    async with scene.worker():
        done = await scene.ingest.finished(import_)
        assert (done["state"], done["attempt"], done["deleted"]) == ("succeeded", 1, 1_000)
        await scene.is_clean()
        await is_undone(scene, await undo(scene, import_), before=before)
        await scene.ingest.until("SELECT count(*) = 0 FROM ingest.imports WHERE former_path <> ''")
        await scene.is_clean()


async def test_the_disk_is_full_while_former_rows_are_kept(
    database: Database, issuer: Issuer, own_valkey: Valkey, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "small", size_bytes=8_000_000) as disk:
        async with running_ingest(
            database, issuer=issuer, redis_url=own_valkey.url, storage=disk
        ) as ingest:
            await ingest.peers.make_table("people", PEOPLE)
            scene = Scene(ingest=ingest, folder=tmp_path, valkey=own_valkey, api=None)
            async with scene.worker():
                await loaded(scene, people(40_000, bad=()))
            before = await ingest.owner.fetchval(TABLE)
            import_ = await ingest.submit(people(10, bad=()), mode="replace")
            filler = disk / "filler"
            await asyncio.to_thread(fill, filler)
            async with scene.worker():
                done = await ingest.finished(import_)
                assert (done["state"], done["error"]["code"]) == ("failed", "attempts_exhausted")
                assert "no room left" in done["error"]["detail"]
                assert await ingest.owner.fetchval(TABLE) == before
                filler.unlink()
                again = await ingest.post(f"/api/imports/{import_['id']}/retry")
                assert again.status_code == 202
                assert (await ingest.finished(import_))["state"] == "succeeded"
                assert await ingest.count() == 10
                await scene.is_clean()
                await is_undone(scene, await undo(scene, import_), before=before)
