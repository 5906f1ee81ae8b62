"""A server that is told to stop ends its open streams, and a worker gives its import back."""

import signal

import httpx2

from tests.ingest.driving import Ingest
from tests.ingest.processes import api_process, worker_process
from tests.support.profile import only_in_full
from tests.support.waiting import until

CSV = b"name,age\nAnn,30\n"


@only_in_full
async def test_an_open_event_stream_does_not_keep_the_server(ingest: Ingest) -> None:
    import_ = await ingest.submit(CSV)
    async with (
        api_process(ingest.settings, ingest.storage.parent) as api,
        httpx2.AsyncClient(base_url=api.url, timeout=60, trust_env=False) as http,
    ):
        watching = ingest.over(http)
        events = watching.events(import_)
        assert (await anext(events))[0] == "progress"
        api.send(signal.SIGTERM)
        assert await anext(events, None) is None
        assert await api.ended(timeout_s=20) in (0, -signal.SIGTERM)


async def test_a_worker_told_to_stop_gives_its_import_back(ingest: Ingest) -> None:
    async with ingest.owner.acquire() as blocker, blocker.transaction():
        await blocker.execute("LOCK TABLE data.people IN ACCESS EXCLUSIVE MODE")
        import_ = await ingest.submit(CSV)
        async with worker_process(ingest.settings, ingest.storage.parent) as worker:
            await ingest.until(
                "SELECT backend_pid IS NOT NULL FROM ingest.imports WHERE id = $1", import_["id"]
            )
            worker.send(signal.SIGTERM)
            assert await worker.ended(timeout_s=20) == 0
        row = await ingest.row(import_)
        assert (row["state"], row["attempt"]) == ("queued", 0)
    async with ingest.working():
        done = await ingest.finished(import_)
    assert (done["state"], done["attempt"], await ingest.count()) == ("succeeded", 1, 1)
    await until("the upload is gone", lambda: not ingest.stored())
