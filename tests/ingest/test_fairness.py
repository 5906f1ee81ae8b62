"""Everyone's turn comes: by who is served least, and whatever the length of the queue."""

import asyncio

from tests.ingest.driving import ANN, Ingest
from tests.support.issuer import person

BOB = person("bob@example.com")


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


async def test_a_thousand_small_imports_drain(ingest: Ingest) -> None:
    people = [person(f"person{number}@example.com") for number in range(10)]
    gate = asyncio.Semaphore(8)

    async def submit(number: int) -> None:
        async with gate:
            await ingest.submit(
                b"name,age\nPerson,%d\nOdd,x\n" % number, caller=people[number % len(people)]
            )

    async with ingest.working(worker_concurrency=3):
        async with asyncio.TaskGroup() as group:
            for number in range(1000):
                group.create_task(submit(number))
        await ingest.until(
            "SELECT count(*) = 1000 FROM ingest.imports WHERE state = 'succeeded'", timeout_s=180
        )
        await ingest.until("SELECT count(*) = 0 FROM ingest.outbox", timeout_s=60)
        await ingest.until("SELECT count(*) = 0 FROM ingest.imports WHERE upload_path IS NOT NULL")
    ages = await ingest.owner.fetch("SELECT age FROM data.people ORDER BY age")
    assert [row["age"] for row in ages] == list(range(1000))
    assert len(ingest.peers.edges) == 1000
    assert {edge.import_id for edge in ingest.peers.edges} == {
        row["id"] for row in await ingest.owner.fetch("SELECT id FROM ingest.imports")
    }
    stored = ingest.stored()
    assert len(stored) == 1000
    assert all(path.startswith("rejects/") for path in stored)
    assert ANN.sub not in {caller.sub for caller in people}
