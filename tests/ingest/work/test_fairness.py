"""Everyone's turn comes: by who is served least, and whatever the length of the queue."""

from tests.ingest.driving import PEOPLE, Ingest
from tests.support.issuer import person
from tests.support.profile import only_in_full

BOB = person("bob@example.com")
RUNNING = """
SELECT count(*) FROM ingest.imports
WHERE state = 'running' AND backend_pid IS NOT NULL AND submitted_by_label = $1"""


@only_in_full
async def test_one_persons_queue_does_not_hold_up_another(ingest: Ingest) -> None:
    many = [await ingest.submit(b"name,age\nAnn,%d\n" % age) for age in range(30)]
    one = await ingest.submit(b"name,age\nBob,1\n", caller=BOB)
    async with ingest.working(worker_concurrency=1):
        done = await ingest.finished(one, caller=BOB)
        assert done["state"] == "succeeded"
        for import_ in many:
            await ingest.finished(import_)
    order = [
        row["submitted_by_label"]
        for row in await ingest.owner.fetch(
            "SELECT submitted_by_label FROM ingest.imports ORDER BY started_at"
        )
    ]
    assert order.index("bob@example.com") <= 1


@only_in_full
async def test_nobody_holds_every_slot_of_a_worker(ingest: Ingest) -> None:
    await ingest.peers.make_table("others", PEOPLE)
    async with ingest.owner.acquire() as blocker, blocker.transaction():
        await blocker.execute("LOCK TABLE data.people IN ACCESS EXCLUSIVE MODE")
        held = [await ingest.submit(b"name,age\nAnn,%d\n" % age) for age in range(5)]
        async with ingest.working(worker_concurrency=3):
            await ingest.until(f"SELECT ({RUNNING}) = 2", "ann@example.com")
            # Ann's other imports wait, and Bob's goes before them.
            other = await ingest.submit(b"name,age\nBob,1\n", table="others", caller=BOB)
            done = await ingest.finished(other, caller=BOB)
            assert done["state"] == "succeeded"
            assert await ingest.owner.fetchval(RUNNING, "ann@example.com") == 2
    async with ingest.working(worker_concurrency=3):
        for import_ in held:
            assert (await ingest.finished(import_))["state"] == "succeeded"


async def test_an_import_ends_at_its_deadline_and_frees_its_locks(ingest: Ingest) -> None:
    async with ingest.owner.acquire() as blocker, blocker.transaction():
        await blocker.execute("LOCK TABLE data.people IN ACCESS EXCLUSIVE MODE")
        import_ = await ingest.submit(b"name,age\nAnn,1\n")
        async with ingest.working(import_deadline_s=0.5):
            done = await ingest.finished(import_)
            assert (done["state"], done["error"]["code"]) == ("failed", "took_too_long")
            assert "0.5 s" in done["error"]["detail"]
            await ingest.until(
                "SELECT count(*) = 0 FROM pg_locks l JOIN pg_class c ON c.oid = l.relation"
                " WHERE c.relname = 'people' AND l.pid <> pg_backend_pid() AND NOT l.granted"
            )
    assert await ingest.count() == 0
