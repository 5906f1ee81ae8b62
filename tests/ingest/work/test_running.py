"""From a queued row to loaded rows: progress, rejects, mail, edge, cancel, retry."""

import asyncio
import codecs
import csv
import io
from datetime import UTC, datetime

import asyncpg
import httpx2
import pytest

from services.ingest.runs import kept, worked
from shared.contracts.auth import Role
from tests.ingest.driving import ANN, Ingest
from tests.support.issuer import person

CSV = b"name,age\nAnn,30\nBob,41\n"
SPOILT = b"name,age\nAnn,30\nBob,old\n,7\nCid,NA\n"


async def test_an_import_loads_tells_and_leaves_nothing(working: Ingest) -> None:
    import_ = await working.submit(CSV, email="ann@example.com")
    done = await working.finished(import_)
    assert done["state"] == "succeeded"
    assert done["rows"] == {
        "read": 2,
        "loaded": 2,
        "rejected": 0,
        "inserted": 2,
        "updated": 0,
        "corrected": 0,
    }
    assert done["bytes"] == {"read": len(CSV), "total": len(CSV)}
    assert done["attempt"] == 1
    assert done["error"] is None
    assert done["eta_s"] == 0
    assert done["format"]["name"] == "csv"
    rows = await working.owner.fetch("SELECT name, age, _import FROM data.people ORDER BY age")
    assert [tuple(row) for row in rows] == [("Ann", 30, done["id"]), ("Bob", 41, done["id"])]
    [edge] = await working.peers.wait_for_edges(1)
    assert (edge.etl_name, edge.schema_name, edge.table_name) == ("people.csv", "data", "people")
    assert edge.import_id == done["id"]
    mail = await working.mailbox.wait_for_one_to("ann@example.com")
    assert mail["Subject"] == f"Import {done['id']} succeeded"
    assert mail["Message-ID"].startswith(f"<import-{done['id']}-")
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert text.replace("\r", "") == (
        f"Import {done['id']} succeeded\n\n"
        f"Import       {done['id']}\nAsked for by ann@example.com\n"
        "File         people.csv\nTable        people\n"
        "Result       succeeded\nRows read    2\nLoaded       2\nRefused      0\n\n"
        f"Open the import: {working.settings.public_url}/app/imports/{done['id']}\n"
        f"For programs, with a token: {working.settings.public_url}/api/imports/{done['id']}\n"
    )
    await working.until("SELECT count(*) = 0 FROM ingest.outbox")
    await working.until("SELECT upload_path IS NULL FROM ingest.imports WHERE id = $1", done["id"])
    await working.comes_to_store([])


async def test_refused_rows_come_back(working: Ingest) -> None:
    import_ = await working.submit(SPOILT, null_values="NA", email="ann@example.com")
    done = await working.finished(import_)
    assert done["state"] == "succeeded"
    assert done["rows"] == {
        "read": 4,
        "loaded": 2,
        "rejected": 2,
        "inserted": 2,
        "updated": 0,
        "corrected": 0,
    }
    page = (await working.get(done["links"]["errors"])).json()
    assert page["next"] is None
    assert [(item["line"], item["column"], item["code"]) for item in page["items"]] == [
        (3, "age", "type_mismatch"),
        (4, "name", "not_null"),
    ]
    assert page["items"][0]["value"] == "old"
    first = (await working.get(done["links"]["errors"], limit=1)).json()
    assert first["items"] == page["items"][:1]
    second = (await working.get(first["next"])).json()
    assert (second["items"], second["next"]) == (page["items"][1:], None)
    answer = await working.get(done["links"]["rejects"])
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    assert answer.content.startswith(codecs.BOM_UTF8)
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [(row["name"], row["age"], row["_line"]) for row in rows] == [
        ("Bob", "old", "3"),
        ("", "7", "4"),
    ]
    mail = await working.mailbox.wait_for_one_to("ann@example.com")
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert f"/api/imports/{done['id']}/rejects" in text
    assert mail["Subject"] == f"Import {done['id']} succeeded, 2 rows refused"
    row = await working.row(done)
    await working.until("SELECT upload_path IS NULL FROM ingest.imports WHERE id = $1", done["id"])
    await working.comes_to_store([row["rejects_path"]])
    corrected = answer.content.replace(b",old,", b",51,").replace(b"\n,7", b"\nDan,7")
    again = await working.finished(await working.submit(corrected, null_values="NA"))
    assert again["rows"]["loaded"] == 2
    assert await working.count() == 4


async def test_abort_loads_nothing_and_says_why(working: Ingest) -> None:
    import_ = await working.submit(SPOILT, on_error="abort", email="ann@example.com")
    done = await working.finished(import_)
    assert done["state"] == "failed"
    assert done["error"]["code"] == "row_refused"
    assert "line 3" in done["error"]["detail"]
    assert done["rows"]["loaded"] == 0
    assert done["rows"]["rejected"] == 3
    assert await working.count() == 0
    mail = await working.mailbox.wait_for_one_to("ann@example.com")
    assert mail["Subject"] == f"Import {done['id']} failed"
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "line 3" in text
    assert working.peers.edges == []
    page = (await working.get(done["links"]["errors"])).json()
    assert page["items"][0]["code"] == "type_mismatch"


async def test_a_dry_run_changes_nothing(working: Ingest) -> None:
    done = await working.finished(await working.submit(CSV, dry_run="true"))
    assert (done["state"], done["dry_run"], done["rows"]["loaded"]) == ("succeeded", True, 2)
    assert await working.count() == 0
    await working.until("SELECT count(*) = 0 FROM ingest.outbox")
    assert working.peers.edges == []


async def test_an_import_that_loads_nothing_is_no_edge(working: Ingest) -> None:
    done = await working.finished(await working.submit(CSV.splitlines(keepends=True)[0]))
    assert (done["state"], done["rows"]["loaded"]) == ("succeeded", 0)
    await working.until("SELECT count(*) = 0 FROM ingest.outbox")
    assert working.peers.edges == []


async def test_events_resume_where_they_ended(ingest: Ingest) -> None:
    import_ = await ingest.submit(CSV)
    first = ingest.events(import_)
    kind, seen, body = await anext(first)
    assert (kind, body["state"]) == ("progress", "queued")
    await first.aclose()
    resumed = asyncio.create_task(_all(ingest.events(import_, after=seen)))
    async with ingest.working():
        events = await resumed
    assert int(events[0][1]) > int(seen)
    assert [kind for kind, _, _ in events].count("done") == 1
    assert events[-1][0] == "done"
    assert events[-1][2]["state"] == "succeeded"
    assert await _all(ingest.events(import_)) == [events[-1]]


async def test_a_queued_import_can_be_cancelled_and_tried_again(ingest: Ingest) -> None:
    import_ = await ingest.submit(CSV)
    key = {"Idempotency-Key": "cancel-1"}
    cancelled = await ingest.post(f"/api/imports/{import_['id']}/cancel", headers=key)
    assert (cancelled.status_code, cancelled.json()["state"]) == (202, "cancelled")
    same = await ingest.post(f"/api/imports/{import_['id']}/cancel", headers=key)
    assert (same.status_code, same.json()) == (202, cancelled.json())
    reused = await ingest.post(f"/api/imports/{import_['id']}/retry", headers=key)
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")
    late = await ingest.post(f"/api/imports/{import_['id']}/cancel")
    assert (late.status_code, late.json()["code"]) == (409, "state_forbids")
    again = await ingest.post(f"/api/imports/{import_['id']}/retry")
    assert (again.status_code, again.json()["state"]) == (202, "queued")
    twice = await ingest.post(f"/api/imports/{import_['id']}/retry")
    assert (twice.status_code, twice.json()["code"]) == (409, "state_forbids")
    async with ingest.working():
        done = await ingest.finished(import_)
    assert (done["state"], done["rows"]["loaded"]) == ("succeeded", 2)
    over = await ingest.post(f"/api/imports/{import_['id']}/retry")
    assert over.status_code == 409


async def test_a_running_import_can_be_cancelled(working: Ingest) -> None:
    async with working.owner.acquire() as blocker, blocker.transaction():
        await blocker.execute("LOCK TABLE data.people IN ACCESS EXCLUSIVE MODE")
        import_ = await working.submit(CSV)
        await working.until(
            "SELECT backend_pid IS NOT NULL FROM ingest.imports WHERE id = $1", import_["id"]
        )
        answer = await working.post(f"/api/imports/{import_['id']}/cancel")
        assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")
        done = await working.finished(import_)
        assert done["state"] == "cancelled"
        await working.until(
            "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = $1",
            f"tabularium-ingest:import:{import_['id']}",
        )
    assert await working.count() == 0
    after = await working.finished(await working.submit(CSV))
    assert (after["state"], await working.count()) == ("succeeded", 2)


async def test_a_tables_owner_sees_and_cancels_what_goes_into_it(ingest: Ingest) -> None:
    owner = person("owner@example.com")
    ingest.peers.owners["people"] = owner.sub
    import_ = await ingest.submit(CSV)
    path = import_["links"]["self"]
    assert (await ingest.get(path, caller=owner)).json()["submitted_by"] == "ann@example.com"
    events = ingest.events(import_, caller=owner)
    assert (await anext(events))[0] == "progress"
    await events.aclose()
    listed = (await ingest.get("/api/imports?table=people", caller=owner)).json()["items"]
    assert [item["id"] for item in listed] == [import_["id"]]
    assert (await ingest.get("/api/imports", caller=owner)).json()["items"] == []
    # What stood in the file is its submitter's, and so is trying it again.
    for rest in ("/errors", "/rejects"):
        assert (await ingest.get(path + rest, caller=owner)).status_code == 404
    cancelled = await ingest.post(f"{path}/cancel", caller=owner)
    assert (cancelled.status_code, cancelled.json()["state"]) == (202, "cancelled")
    assert (await ingest.post(f"{path}/retry", caller=owner)).status_code == 404
    editor = person("editor@example.com")
    assert (await ingest.get(path, caller=editor)).status_code == 404
    assert (await ingest.post(f"{path}/cancel", caller=editor)).status_code == 404


async def test_only_the_submitter_and_admins_see_an_import(ingest: Ingest) -> None:
    import_ = await ingest.submit(CSV)
    bob, root = person("bob@example.com"), person("root@example.com", role=Role.ADMIN)
    for suffix in ("", "/events", "/errors", "/rejects"):
        answer = await ingest.get(f"/api/imports/{import_['id']}{suffix}", caller=bob)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), suffix
    for verb in ("cancel", "retry"):
        answer = await ingest.post(f"/api/imports/{import_['id']}/{verb}", caller=bob)
        assert answer.status_code == 404
    assert (await ingest.get("/api/imports", caller=bob)).json()["items"] == []
    assert (await ingest.look(import_, caller=root))["id"] == import_["id"]
    [seen] = (await ingest.get("/api/imports", caller=root)).json()["items"]
    assert seen["id"] == import_["id"]


async def test_lists_are_filtered_and_paged(ingest: Ingest) -> None:
    await ingest.peers.make_table("pets", {"name": "text"})
    ids = [(await ingest.submit(b"name\n%d\n" % number, table="pets"))["id"] for number in range(5)]
    other = await ingest.submit(CSV)
    await ingest.post(f"/api/imports/{ids[0]}/cancel")
    found: list[int] = []
    path: str | None = "/api/imports?table=pets&limit=2"
    while path is not None:
        page: httpx2.Response = await ingest.get(path)
        found += [item["id"] for item in page.json()["items"]]
        path = page.json()["next"]
    assert found == ids[::-1]
    queued = (await ingest.get("/api/imports", state="queued")).json()
    assert [item["id"] for item in queued["items"]] == [other["id"], *ids[:0:-1]]
    assert queued["next"] is None
    assert (await ingest.get("/api/imports", state="asleep")).status_code == 422


@pytest.mark.parametrize("path", ["/api/imports/4711", "/api/imports/4711/errors"])
async def test_an_unknown_import_is_404(ingest: Ingest, path: str) -> None:
    assert (await ingest.get(path)).status_code == 404
    assert ANN.email is not None


async def _all(events: object) -> list[tuple[str, str, dict[str, object]]]:
    return [event async for event in events]  # type: ignore[attr-defined]


@pytest.mark.parametrize("state", ["running", "succeeded"])
async def test_what_a_crash_of_the_server_may_take_is_not_waited_for(
    ingest: Ingest, state: str
) -> None:
    import_ = await ingest.submit(CSV)
    await ingest.owner.execute("UPDATE ingest.imports SET state = $1", state)
    connection = await asyncpg.connect(ingest.database.url("ingest"))
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL synchronous_commit = on")
            if state == "running":
                now = datetime.now(UTC)
                assert await connection.fetchval(worked.BACKEND, import_["id"], 0, 7, now)
            else:
                assert await connection.execute(kept.FORGET_UPLOAD, import_["id"]) == "UPDATE 1"
            assert await connection.fetchval("SHOW synchronous_commit") == "off"
    finally:
        await connection.close()
