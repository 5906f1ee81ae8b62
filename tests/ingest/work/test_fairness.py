"""Everyone's turn comes: by who is served least, and whatever the length of the queue."""

from tests.ingest.driving import Ingest
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
