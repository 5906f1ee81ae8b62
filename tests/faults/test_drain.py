"""A long queue of small imports drains to its end, each import once."""

import asyncio

from tests.faults.scene import Scene
from tests.support.issuer import person

IMPORTS = 1000


async def test_a_thousand_small_imports_drain(scene: Scene) -> None:
    ingest = scene.ingest
    people = [person(f"person{number}@example.com") for number in range(10)]
    gate = asyncio.Semaphore(4)

    async def submit(number: int) -> None:
        async with gate:
            content = f"name,age\nperson {number},{number}\nodd,x\n".encode()
            await ingest.submit(content, caller=people[number % len(people)])

    async with scene.worker(), scene.worker():
        async with asyncio.TaskGroup() as group:
            for number in range(IMPORTS):
                group.create_task(submit(number))
        await ingest.until(
            "SELECT count(*) = $1 FROM ingest.imports WHERE state = 'succeeded'",
            IMPORTS,
            timeout_s=480,
        )
        await scene.is_clean()
    ages = await ingest.owner.fetch("SELECT age FROM data.people ORDER BY age")
    assert [row["age"] for row in ages] == list(range(IMPORTS))
    assert await ingest.owner.fetchval("SELECT max(attempt) FROM ingest.imports") == 1
    edges = [edge.import_id for edge in ingest.peers.edges]
    ids = [row["id"] for row in await ingest.owner.fetch("SELECT id FROM ingest.imports")]
    assert sorted(edges) == sorted(ids)
    stored = ingest.stored()
    assert len(stored) == IMPORTS
    assert all(path.startswith("rejects/") for path in stored)
