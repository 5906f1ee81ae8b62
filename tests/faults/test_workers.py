"""Workers are killed, stopped and woken at every bad moment; the rows are there once."""

import os
import signal
from pathlib import Path

from arq.connections import ArqRedis

from services.ingest.domain.run import ImportId
from services.ingest.wake_ups import WakeUps, arq_redis
from tests.faults.scene import ROWS, Scene, people
from tests.ingest.driving import ANN
from tests.support.issuer import person
from tests.support.waiting import until

BEN = person("ben@example.com")


async def gone(pid: int) -> None:
    await until("the process is gone", lambda: not Path(f"/proc/{pid}").exists())


async def test_killed_in_mid_copy(scene: Scene) -> None:
    import_ = await scene.ingest.submit(people())
    async with scene.held_in_copy(), scene.worker() as worker:
        await scene.stands_in_copy()
        await worker.killed()
    async with scene.worker():
        done = await scene.is_all_well(import_)
        assert done["attempt"] == 1
        await scene.next_import_works()


async def test_stopped_in_mid_copy_and_woken_after_the_takeover(scene: Scene) -> None:
    import_ = await scene.ingest.submit(people())
    async with scene.worker() as sleeper:
        async with scene.held_in_copy():
            await scene.stands_in_copy()
            sleeper.send(signal.SIGSTOP)
        async with scene.worker():
            done = await scene.is_all_well(import_)
            assert done["attempt"] == 1
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
            assert done["attempt"] == 1
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


async def test_a_poison_file_is_given_up_after_five_attempts_of_its_own(scene: Scene) -> None:
    import_ = await scene.ingest.submit(people(), email="ann@example.com")
    async with scene.held_in_copy(), scene.worker() as worker:
        await scene.stands_in_copy()
        await worker.killed()
    async with scene.worker(silent_s=1) as worker:
        for attempt in range(1, 6):
            async with scene.held_in_copy():
                child = await worker.child()
                await scene.stands_in_copy()
                row = await scene.ingest.row(import_)
                assert (row["attempt"], row["alone"]) == (attempt, True)
                os.kill(child, signal.SIGKILL)
                await gone(child)
        # The same worker tells of it: one that stopped now would leave the mail to the next.
        done = await scene.ingest.finished(import_)
        assert (done["state"], done["attempt"]) == ("failed", 5)
        assert done["error"]["code"] == "attempts_exhausted"
        assert "given up after 5 attempts" in done["error"]["detail"]
        assert "more memory than it may" in done["error"]["detail"]
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
        assert (done["state"], done["attempt"], done["rows"]["loaded"]) == ("succeeded", 1, ROWS)
        assert await scene.ingest.count("fresh") == ROWS
        await scene.is_clean()


async def test_a_neighbours_crash_costs_no_attempt(scene: Scene) -> None:
    """Two imports are in one worker when it dies: one of them is to blame, the other is not."""
    first = await scene.ingest.submit(people())
    second = await scene.ingest.submit(people(first=100_000), caller=BEN)
    async with scene.held_in_copy(), scene.worker() as worker:
        await scene.stands_in_copy()
        await scene.ingest.until("SELECT count(*) = 2 FROM ingest.imports WHERE state <> 'queued'")
        await worker.killed()
    async with scene.worker():
        for import_, caller in ((first, None), (second, BEN)):
            done = await scene.ingest.finished(import_, caller=caller or ANN)
            assert (done["state"], done["attempt"]) == ("succeeded", 1)
        await scene.is_clean()


async def test_an_import_that_is_alone_goes_on_elsewhere_when_its_worker_stops(
    scene: Scene,
) -> None:
    import_ = await scene.ingest.submit(people())
    await scene.ingest.owner.execute("UPDATE ingest.imports SET alone = true")
    for stop in (signal.SIGTERM, signal.SIGKILL):
        async with scene.held_in_copy(), scene.worker() as worker:
            child = await worker.child()
            await scene.stands_in_copy()
            worker.send(stop)
            await worker.ended()
            await gone(child)
        row = await scene.ingest.row(import_)
        assert (row["state"], row["attempt"]) == ("queued", 0)
    async with scene.worker():
        done = await scene.is_all_well(import_)
        assert done["attempt"] == 1


async def test_what_takes_more_memory_alone_ends_there(scene: Scene) -> None:
    import_ = await scene.ingest.submit(people())
    await scene.ingest.owner.execute("UPDATE ingest.imports SET alone = true")
    async with scene.worker(import_memory_bytes=1, max_attempts=2):
        done = await scene.ingest.finished(import_)
        assert (done["state"], done["attempt"]) == ("failed", 2)
        assert done["error"]["code"] == "attempts_exhausted"
        await scene.next_import_works()
