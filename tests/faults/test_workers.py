"""Workers are killed, stopped and woken at every bad moment; the rows are there once."""

import signal

from arq.connections import ArqRedis

from services.ingest.domain.run import ImportId
from services.ingest.wake_ups import WakeUps, arq_redis
from tests.faults.scene import ROWS, Scene, people


async def test_killed_in_mid_copy(scene: Scene) -> None:
    import_ = await scene.ingest.submit(people())
    async with scene.held_in_copy(), scene.worker() as worker:
        await scene.stands_in_copy()
        await worker.killed()
    async with scene.worker():
        done = await scene.is_all_well(import_)
        assert done["attempt"] == 2
        await scene.next_import_works()


async def test_stopped_in_mid_copy_and_woken_after_the_takeover(scene: Scene) -> None:
    import_ = await scene.ingest.submit(people())
    async with scene.worker() as sleeper:
        async with scene.held_in_copy():
            await scene.stands_in_copy()
            sleeper.send(signal.SIGSTOP)
        async with scene.worker():
            done = await scene.is_all_well(import_)
            assert done["attempt"] == 2
        sleeper.send(signal.SIGCONT)
        await sleeper.says(b"import_fenced_out")
        await scene.is_all_well(import_)
        await scene.next_import_works()


async def test_stopped_between_fence_and_commit(scene: Scene) -> None:
    import_ = await scene.ingest.submit(people())
    async with scene.worker() as sleeper:
        async with scene.held_in_fence():
            pid = await scene.stands_in_fence()
            sleeper.send(signal.SIGSTOP)
        await scene.ingest.until(
            "SELECT state = 'idle in transaction' FROM pg_stat_activity WHERE pid = $1", pid
        )
        async with scene.worker():
            done = await scene.is_all_well(import_)
            assert done["attempt"] == 2
        sleeper.send(signal.SIGCONT)
        await sleeper.says(b"import_fenced_out")
        await scene.is_all_well(import_)
        await scene.next_import_works()


async def test_killed_between_commit_and_acknowledgement(scene: Scene) -> None:
    import_ = await scene.ingest.submit(people(), email="ann@example.com")
    async with scene.held_at_commit(), scene.worker() as worker:
        await scene.stands_at_commit()
        await worker.killed()
    async with scene.worker():
        done = await scene.is_all_well(import_)
        assert done["attempt"] == 1
        assert [edge.import_id for edge in await scene.ingest.peers.wait_for_edges(1)] == [
            import_["id"]
        ]
        await scene.ingest.mailbox.wait_for_one_to("ann@example.com")
        await scene.next_import_works()
    assert len(scene.ingest.mailbox.to("ann@example.com")) == 1


async def test_one_import_delivered_ten_times_at_once(scene: Scene) -> None:
    import_ = await scene.ingest.submit(people())
    redis: ArqRedis
    async with arq_redis(scene.valkey.url, retries=1) as redis:
        for _ in range(10):
            await WakeUps(redis).send(ImportId(import_["id"]))
    async with scene.worker(), scene.worker():
        done = await scene.is_all_well(import_)
        assert done["attempt"] == 1
        await scene.next_import_works()


async def test_a_poison_file_is_given_up_after_five_attempts(scene: Scene) -> None:
    import_ = await scene.ingest.submit(people(), email="ann@example.com")
    for attempt in range(1, 6):
        async with scene.held_in_copy(), scene.worker(silent_s=1) as worker:
            # The backend of the worker that was killed before may still be waiting.
            await scene.ingest.until(
                "SELECT state = 'running' AND attempt >= $2 FROM ingest.imports WHERE id = $1",
                import_["id"],
                attempt,
            )
            await scene.stands_in_copy()
            assert (await scene.ingest.row(import_))["attempt"] == attempt
            await worker.killed()
    async with scene.worker(silent_s=1):
        done = await scene.ingest.finished(import_)
        assert (done["state"], done["attempt"]) == ("failed", 5)
        assert done["error"]["code"] == "attempts_exhausted"
        assert "given up after 5 attempts" in done["error"]["detail"]
        assert "stopped answering" in done["error"]["detail"]
        assert await scene.ingest.count() == 0
        mail = await scene.ingest.mailbox.wait_for_one_to("ann@example.com")
        assert mail["Subject"] == f"Import {import_['id']} failed"
        await scene.is_clean()
        await scene.next_import_works()
        answer = await scene.ingest.post(f"/api/imports/{import_['id']}/retry")
        assert answer.status_code == 202
        again = await scene.ingest.finished(import_)
        assert (again["state"], again["attempt"]) == ("succeeded", 1)
    assert await scene.ingest.count() == ROWS - 3 + 1


async def test_cancel_reaches_a_worker_that_is_stopped(scene: Scene) -> None:
    import_ = await scene.ingest.submit(people())
    async with scene.worker() as sleeper:
        async with scene.held_in_copy():
            await scene.stands_in_copy()
            sleeper.send(signal.SIGSTOP)
            answer = await scene.ingest.post(f"/api/imports/{import_['id']}/cancel")
            assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")
        sleeper.send(signal.SIGCONT)
        await sleeper.says(b"import_fenced_out")
        assert (await scene.ingest.look(import_))["state"] == "cancelled"
        assert await scene.ingest.count() == 0
        await scene.is_clean()
        await scene.next_import_works()


async def test_a_made_table_is_found_again_by_the_next_attempt(scene: Scene) -> None:
    import_ = await scene.ingest.submit(people(bad=()), table="fresh", create_table="true")
    async with scene.held_in_fence(), scene.worker() as worker:
        await scene.stands_in_fence()
        await worker.killed()
    async with scene.worker():
        done = await scene.ingest.finished(import_)
        assert (done["state"], done["attempt"], done["rows"]["loaded"]) == ("succeeded", 2, ROWS)
        assert await scene.ingest.count("fresh") == ROWS
        await scene.is_clean()
