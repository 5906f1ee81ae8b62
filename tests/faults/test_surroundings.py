"""What imports lean on goes away and comes back: Valkey, PostgreSQL, mail, catalog, disk."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx2
import pytest
from redis.asyncio import Redis

from deploy.local.valkey import Valkey
from tests.faults.scene import ROWS, TRIED_AGAIN, Scene, fill, is_back, people
from tests.ingest.driving import ANN, PEOPLE, running_ingest
from tests.support.databases import Database
from tests.support.issuer import Issuer, person
from tests.support.small_disk import small_disk
from tests.support.waiting import until


async def test_valkey_restarts_with_queued_and_running_imports(scene: Scene) -> None:
    async with scene.worker(worker_concurrency=1) as worker:
        async with scene.held_in_copy():
            running = await scene.ingest.submit(people())
            await scene.stands_in_copy()
            queued = [
                await scene.ingest.submit(f"name,age\nextra {number},1\n".encode())
                for number in range(3)
            ]
            await asyncio.to_thread(scene.valkey.stop)
            down = await scene.ingest.submit(b"name,age\nwhile it was down,1\n")
            await asyncio.to_thread(scene.valkey.start)
        done = await scene.is_all_well(running)
        assert done["attempt"] == 1
        for import_ in (*queued, down):
            assert (await scene.ingest.finished(import_))["state"] == "succeeded"
        assert worker.popen.poll() is None
        await scene.next_import_works()
    assert await scene.ingest.count() == ROWS - 3 + 3 + 1 + 1


async def test_valkey_forgets_everything(scene: Scene) -> None:
    async with scene.worker(worker_concurrency=1):
        async with scene.held_in_copy():
            running = await scene.ingest.submit(people())
            await scene.stands_in_copy()
            queued = [
                await scene.ingest.submit(f"name,age\nextra {number},1\n".encode())
                for number in range(3)
            ]
            async with Redis.from_url(scene.valkey.url) as redis:
                await redis.flushall()
        await scene.is_all_well(running)
        for import_ in queued:
            done = await scene.ingest.finished(import_)
            assert (done["state"], done["attempt"]) == ("succeeded", 1)
        await scene.next_import_works()


async def test_valkey_stays_away(scene: Scene) -> None:
    await asyncio.to_thread(scene.valkey.stop)
    import_ = await scene.ingest.submit(people())
    async with scene.worker():
        await scene.is_all_well(import_)
        await scene.next_import_works()


@pytest.mark.parametrize("how", ["crash", "restart"])
async def test_postgresql_goes_in_mid_import(scene: Scene, how: str) -> None:
    import_ = await scene.ingest.submit(people())
    async with scene.worker() as worker:
        async with scene.held_in_copy():
            pid = await scene.stands_in_copy()
            events = scene.ingest.events(import_)
            assert (await anext(events))[0] == "progress"
            witness = await asyncpg.connect(scene.ingest.database.superuser_url)
            if how == "crash":
                # The postmaster ends every session and recovers when a backend dies like this.
                os.kill(pid, signal.SIGKILL)
            else:
                await asyncio.to_thread(scene.ingest.database.cluster.stop)
                await asyncio.to_thread(scene.ingest.database.cluster.start)
            await is_back(scene, witness)
        await scene.ingest.until(f"SELECT {TRIED_AGAIN} FROM ingest.imports")
        # The stream of events outlives it too.
        [done] = [body async for kind, _, body in events if kind == "done"]
        assert done["state"] == "succeeded"
        await scene.is_all_well(import_)
        assert worker.popen.poll() is None
        await scene.next_import_works()


async def test_the_mail_server_is_down(scene: Scene) -> None:
    await scene.ingest.mailbox.stop()
    import_ = await scene.ingest.submit(people(), email="ann@example.com")
    async with scene.worker():
        assert (await scene.ingest.finished(import_))["state"] == "succeeded"
        waiting = await scene.ingest.until(
            "SELECT last_error FROM ingest.outbox WHERE kind = 'mail' AND last_error IS NOT NULL"
        )
        assert "mail server" in waiting
        await scene.ingest.mailbox.start()
        mail = await scene.ingest.mailbox.wait_for_one_to("ann@example.com", timeout_s=60)
        assert "3 rows refused" in mail["Subject"]
        await scene.is_all_well(import_)
        await scene.next_import_works()
    assert len(scene.ingest.mailbox.to("ann@example.com")) == 1


async def test_a_recipient_who_is_refused_for_good_does_not_stay(scene: Scene) -> None:
    scene.ingest.mailbox.refusal = "550 no such person"
    import_ = await scene.ingest.submit(people(), email="nobody@example.com")
    async with scene.worker() as worker:
        await scene.is_all_well(import_)
        await worker.says(b"mail_refused")


async def test_the_catalog_is_down(scene: Scene) -> None:
    scene.ingest.peers.catalog_down = True
    import_ = await scene.ingest.submit(people())
    async with scene.worker():
        assert (await scene.ingest.finished(import_))["state"] == "succeeded"
        await scene.ingest.until(
            "SELECT last_error FROM ingest.outbox WHERE kind = 'edge' AND last_error IS NOT NULL"
        )
        scene.ingest.peers.catalog_down = False
        await scene.is_all_well(import_)
        await scene.next_import_works()
        edges = scene.ingest.peers.edges
        await until("both imports' edges are entered", lambda: len(edges) >= 2)
    assert [edge.import_id == import_["id"] for edge in edges] == [True, False]


async def test_records_is_down(scene: Scene) -> None:
    import_ = await scene.ingest.submit(people())
    scene.ingest.peers.records_down = True
    async with scene.worker() as worker:
        await worker.says(b"import_waits_for_peer")
        assert (await scene.ingest.look(import_))["state"] in ("queued", "running")
        scene.ingest.peers.records_down = False
        await scene.is_all_well(import_)
        await scene.next_import_works()


async def test_ddl_comes_in_between(scene: Scene) -> None:
    import_ = await scene.ingest.submit(people())
    async with scene.worker():
        async with scene.ingest.owner.acquire() as other:
            transaction = other.transaction()
            await transaction.start()
            await other.execute("ALTER TABLE data.people ADD COLUMN shoe integer")
            await scene.ingest.until(
                "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND application_name = $1 AND query LIKE '%LOCK TABLE%'",
                f"tabularium-ingest:import:{import_['id']}",
            )
            await transaction.commit()
        done = await scene.ingest.finished(import_)
        assert (done["state"], done["error"]["code"]) == ("failed", "table_changed")
        assert await scene.ingest.count() == 0
        await scene.is_clean()
        again = await scene.ingest.post(f"/api/imports/{import_['id']}/retry")
        assert again.status_code == 202
        await scene.is_all_well(import_)


async def test_ddl_finds_a_running_import_by_name(scene: Scene) -> None:
    import_ = await scene.ingest.submit(people())
    async with scene.worker():
        async with scene.held_in_copy():
            pid = await scene.stands_in_copy()
            async with scene.ingest.owner.acquire() as other, other.transaction():
                await other.execute("SET LOCAL lock_timeout = '200ms'")
                with pytest.raises(asyncpg.LockNotAvailableError):
                    await other.execute("ALTER TABLE data.people ADD COLUMN shoe integer")
            name = await scene.ingest.owner.fetchval(
                "SELECT application_name FROM pg_stat_activity WHERE pid = $1", pid
            )
            assert name == f"tabularium-ingest:import:{import_['id']}"
        await scene.is_all_well(import_)


async def test_a_client_goes_in_mid_upload(scene: Scene) -> None:
    def growing() -> bytes:
        return people(2000, bad=())

    async def chunks() -> AsyncIterator[bytes]:
        yield (
            b"--frontier\r\nContent-Disposition: form-data; name=file; filename=x.csv\r\n\r\n"
            b"name,age\n"
        )
        while not scene.ingest.stored():
            yield growing()
        raise ConnectionAbortedError("the client goes")

    headers = {
        **scene.ingest.issuer.bearer(ANN),
        "Content-Type": "multipart/form-data; boundary=frontier",
    }
    with pytest.raises((ConnectionAbortedError, httpx2.HTTPError)):
        await scene.ingest.http.post("/api/imports", content=chunks(), headers=headers)
    await until("nothing is left of the upload", lambda: not scene.ingest.stored())
    async with scene.worker():
        await scene.next_import_works()
        await scene.is_clean()


async def test_the_api_is_killed_in_mid_upload(scene: Scene) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield (
            b"--frontier\r\nContent-Disposition: form-data; name=file; filename=x.csv\r\n\r\n"
            b"name,age\n"
        )
        while not scene.ingest.stored():
            yield people(2000, bad=())
        assert scene.api is not None
        await scene.api.killed()

    headers = {
        **scene.ingest.issuer.bearer(ANN),
        "Content-Type": "multipart/form-data; boundary=frontier",
    }
    with pytest.raises(httpx2.HTTPError):
        await scene.ingest.http.post("/api/imports", content=chunks(), headers=headers)
    assert scene.ingest.stored()
    async with scene.worker():
        await until("nothing is left of the upload", lambda: not scene.ingest.stored())


async def test_the_disk_is_full_when_rejects_are_written(
    database: Database, issuer: Issuer, own_valkey: Valkey, tmp_path: Path
) -> None:
    content = people(40_000, bad=tuple(range(2, 40_001, 2)))
    with small_disk(tmp_path / "small", size_bytes=8_000_000) as disk:
        async with running_ingest(
            database, issuer=issuer, redis_url=own_valkey.url, storage=disk
        ) as ingest:
            await ingest.peers.make_table("people", PEOPLE)
            import_ = await ingest.submit(content)
            filler = disk / "filler"
            await asyncio.to_thread(fill, filler)
            scene = Scene(ingest=ingest, folder=tmp_path, valkey=own_valkey, api=None)
            async with scene.worker():
                done = await ingest.finished(import_)
                assert (done["state"], done["error"]["code"]) == ("failed", "attempts_exhausted")
                assert "no room left" in done["error"]["detail"]
                assert await ingest.count() == 0
                filler.unlink()
                again = await ingest.post(f"/api/imports/{import_['id']}/retry")
                assert again.status_code == 202
                done = await ingest.finished(import_)
                assert (done["state"], done["rows"]["rejected"]) == ("succeeded", 20_000)
                assert await ingest.count() == 20_000
                await scene.is_clean()


async def test_two_imports_at_once_into_one_table(scene: Scene) -> None:
    bob = person("bob@example.com")
    async with scene.worker():
        first = await scene.ingest.submit(people())
        second = await scene.ingest.submit(people(first=ROWS + 1), caller=bob)
        await scene.is_all_well(first)
        done = await scene.ingest.finished(second, caller=bob)
        assert (done["state"], done["rows"]["loaded"]) == ("succeeded", ROWS - 3)
    assert await scene.ingest.count() == 2 * (ROWS - 3)
