"""What one subject may hold of what all share: the queue, event streams, connections."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing

import pytest
import pytest_asyncio

from deploy.local.valkey import Valkey
from tests.ingest.driving import PEOPLE, Ingest, running_ingest
from tests.support.databases import Database
from tests.support.issuer import Issuer, person
from tests.support.waiting import until

BOB = person("bob@example.com")
STREAMS = 4


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def strict(
    module_database: Database,
    issuer: Issuer,
    valkey_server: Valkey,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Ingest]:
    """An API with narrow limits and two connections."""
    async with running_ingest(
        module_database,
        issuer=issuer,
        redis_url=valkey_server.url,
        storage=tmp_path_factory.mktemp("ingest") / "storage",
        queued_per_subject=3,
        streams_per_subject=STREAMS,
        database_pool_size=2,
    ) as running:
        yield running


@pytest_asyncio.fixture
async def limited(strict: Ingest) -> Ingest:
    await strict.emptied()
    await strict.peers.make_table("people", PEOPLE)
    return strict


async def test_one_subjects_queue_has_an_end(limited: Ingest) -> None:
    mine = [await limited.submit(b"name,age\nAnn,%d\n" % age) for age in range(3)]
    stored = limited.stored()
    refused = await limited.upload(b"name,age\nAnn,9\n", table="people")
    assert (refused.status_code, refused.json()["code"]) == (429, "queue_full")
    assert "3 of your imports wait" in refused.json()["detail"]
    assert refused.headers["retry-after"]
    assert limited.stored() == stored
    # The same file again is the same import, and others have queues of their own.
    assert (await limited.submit(b"name,age\nAnn,0\n"))["id"] == mine[0]["id"]
    await limited.submit(b"name,age\nBob,1\n", caller=BOB)
    assert (await limited.post(f"/api/imports/{mine[0]['id']}/cancel")).status_code == 202
    await limited.submit(b"name,age\nAnn,9\n")
    again = await limited.post(f"/api/imports/{mine[0]['id']}/retry")
    assert (again.status_code, again.json()["code"]) == (429, "queue_full")


async def test_streams_that_wait_hold_no_connection(limited: Ingest) -> None:
    import_ = await limited.submit(b"name,age\nAnn,1\n")
    async with AsyncExitStack() as stack:
        for _ in range(STREAMS):
            events = await stack.enter_async_context(aclosing(limited.events(import_)))
            assert (await anext(events))[0] == "progress"
        refused = await limited.get(import_["links"]["events"])
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_streams")
        assert f"you follow {STREAMS} imports" in refused.json()["detail"]
        # Twice as many streams as connections, and everybody else is served.
        for _ in range(5):
            assert (await limited.get("/api/imports")).status_code == 200
            assert (await limited.get("/api/imports", caller=BOB)).json()["items"] == []

    async def served() -> bool:
        events = limited.events(import_)
        async with aclosing(events):
            return (await anext(events))[0] == "progress"

    await until("a stream is free again", served, bearing=(AssertionError,))
