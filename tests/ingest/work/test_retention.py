"""Files and rows are kept as long as promised, and what nobody knows goes."""

import os
import time
from datetime import timedelta

from services.ingest.process import opened_worker
from tests.ingest.driving import Ingest
from tests.support.issuer import peer
from tests.support.profile import only_in_full
from tests.support.waiting import until

CSV = b"name,age\nAnn,30\nBob,old\n"


async def apply_retention(ingest: Ingest, **others: float) -> None:
    settings = ingest.settings.model_copy(update=others)
    async with opened_worker(settings) as worker:
        await worker.tidy.apply_retention()


async def age(ingest: Ingest, import_id: int, *, days: int) -> None:
    await ingest.owner.execute(
        "UPDATE ingest.imports SET finished_at = finished_at - $2::interval WHERE id = $1",
        import_id,
        timedelta(days=days),
    )


async def test_a_failed_imports_file_is_kept_a_week(ingest: Ingest) -> None:
    async with ingest.working():
        failed = await ingest.finished(await ingest.submit(CSV, on_error="abort"))
        assert failed["state"] == "failed"
    row = await ingest.row(failed)
    await age(ingest, failed["id"], days=6)
    await apply_retention(ingest)
    assert row["upload_path"] in ingest.stored()
    await age(ingest, failed["id"], days=2)
    await apply_retention(ingest)
    assert row["upload_path"] not in ingest.stored()
    gone = await ingest.post(f"/api/imports/{failed['id']}/retry")
    assert (gone.status_code, gone.json()["code"]) == (409, "upload_gone")


@only_in_full
async def test_rejects_are_kept_a_month_and_runs_three(ingest: Ingest) -> None:
    async with ingest.working():
        done = await ingest.finished(await ingest.submit(CSV))
    await age(ingest, done["id"], days=29)
    await apply_retention(ingest)
    assert (await ingest.get(done["links"]["rejects"])).text.count("\n") == 2
    await age(ingest, done["id"], days=2)
    await apply_retention(ingest)
    assert ingest.stored() == []
    assert (await ingest.get(done["links"]["errors"])).json()["items"] == []
    assert (await ingest.look(done))["state"] == "succeeded"
    await age(ingest, done["id"], days=60)
    await apply_retention(ingest)
    assert (await ingest.get(done["links"]["self"])).status_code == 404
    assert await ingest.count() == 1


async def test_orphans_go_and_what_is_known_stays(ingest: Ingest) -> None:
    queued = await ingest.submit(CSV)
    known = (await ingest.row(queued))["upload_path"]
    old = time.time() - 2 * 86_400
    for name in ("uploads/lost", "uploads/lost#1", f"rejects/{queued['id']}/1-1.csv#1"):
        path = ingest.storage / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        os.utime(path, (old, old))
    os.utime(ingest.storage / known, (old, old))
    (ingest.storage / "uploads/fresh").write_bytes(b"x")
    await apply_retention(ingest)
    assert ingest.stored() == sorted([known, "uploads/fresh", f"rejects/{queued['id']}/1-1.csv#1"])
    async with ingest.working():
        await ingest.finished(queued)
        part = f"rejects/{queued['id']}/1-1.csv#1"
        await until("the part file is gone", lambda: part not in ingest.stored())


async def test_peers_see_the_newest_imports(ingest: Ingest) -> None:
    first = await ingest.submit(CSV, etl_name="nightly")
    second = await ingest.submit(CSV + b"Cid,1\n", name="nightly")
    other = await ingest.submit(CSV, etl_name="weekly")
    headers = ingest.issuer.bearer(peer("catalog"))
    answer = await ingest.http.get("/internal/imports?etl=nightly", headers=headers)
    assert [item["id"] for item in answer.json()["items"]] == [second["id"], first["id"]]
    answer = await ingest.http.get("/internal/imports?table=people&limit=1", headers=headers)
    [item] = answer.json()["items"]
    assert (item["id"], item["etl_name"], item["state"]) == (other["id"], "weekly", "queued")
    assert (await ingest.http.get("/internal/imports", headers=headers)).json()["items"] == []
    refused = await ingest.get("/internal/imports?table=people")
    assert refused.status_code == 403


async def test_the_queue_is_measured(ingest: Ingest) -> None:
    await ingest.submit(CSV)

    async def measured() -> str | None:
        text = (await ingest.http.get("/metrics")).text
        return text if 'tabularium_imports{state="queued"} 1.0' in text else None

    text = await until("one queued import in the metrics", measured)
    for name in ("oldest_queued_seconds", "rows_per_second", "undelivered"):
        assert f"tabularium_imports_{name}" in text
