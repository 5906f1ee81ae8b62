"""What a dry run judged is what its commit loads, or nothing is loaded."""

import asyncio
from typing import Any

import pytest

from shared.contracts.auth import Role
from tests.ingest.driving import ANN, Ingest
from tests.ingest.work.test_retention import age, apply_retention
from tests.support.issuer import person
from tests.support.profile import only_in_full

SPOILT = b"name,age\nAnn,30\nBob,old\nCid,7\n,9\n"
KEYED = "ALTER TABLE data.people ADD UNIQUE (name)"


async def rehearsed(ingest: Ingest, content: bytes = SPOILT, **fields: Any) -> dict[str, Any]:
    done = await ingest.finished(await ingest.submit(content, dry_run="true", **fields))
    assert (done["state"], done["dry_run"]) == ("succeeded", True), done["error"]
    return done


async def committed(ingest: Ingest, rehearsal: dict[str, Any]) -> dict[str, Any]:
    answer = await ingest.post(f"/api/imports/{rehearsal['id']}/commit")
    assert answer.status_code == 202, answer.text
    import_ = answer.json()
    assert answer.headers["location"] == import_["links"]["self"]
    assert (import_["follows"], import_["dry_run"]) == (rehearsal["id"], False)
    return await ingest.finished(import_)


async def people(ingest: Ingest) -> list[tuple[Any, ...]]:
    rows = await ingest.owner.fetch("SELECT name, age, _import FROM data.people ORDER BY id")
    return [tuple(row) for row in rows]


async def test_a_commit_loads_what_was_rehearsed_without_the_file(working: Ingest) -> None:
    await working.owner.execute(KEYED)
    rehearsal = await rehearsed(working, email="ann@example.com")
    assert await working.count() == 0
    await working.until(
        "SELECT upload_path IS NULL FROM ingest.imports WHERE id = $1", rehearsal["id"]
    )
    row = await working.row(rehearsal)
    assert row["rehearsal_path"] in working.stored()
    done = await committed(working, rehearsal)
    assert done["state"] == "succeeded", done["error"]
    for name in ("kind", "table", "mode", "rows", "format", "inferred", "reasons", "etl_name"):
        assert done[name] == rehearsal[name], name
    assert await people(working) == [("Ann", 30, done["id"]), ("Cid", 7, done["id"])]
    for link in ("errors", "rejects"):
        then = await working.get(rehearsal["links"][link])
        now = await working.get(done["links"][link])
        assert then.text == now.text
        assert "old" in now.text
    [edge] = await working.peers.wait_for_edges(1)
    assert (edge.etl_name, edge.import_id) == ("people.csv", done["id"])
    mails = await working.mailbox.wait_for(2)
    assert mails[-1]["Subject"] == f"Import {done['id']} succeeded, 2 rows refused"
    await working.until(
        "SELECT rehearsal_path IS NULL FROM ingest.imports WHERE id = $1", rehearsal["id"]
    )
    rejects = [(await working.row(run))["rejects_path"] for run in (rehearsal, done)]
    await working.comes_to_store(rejects)


async def test_a_rehearsal_is_committed_once(working: Ingest) -> None:
    rehearsal = await rehearsed(working)
    done = await committed(working, rehearsal)
    again = await working.post(f"/api/imports/{rehearsal['id']}/commit")
    assert (again.status_code, again.json()["code"]) == (409, "already_committed")
    assert str(done["id"]) in again.json()["detail"]
    assert await working.count() == 2


@only_in_full
async def test_commits_at_once_are_one(ingest: Ingest) -> None:
    async with ingest.working():
        rehearsal = await rehearsed(ingest)
    path = f"/api/imports/{rehearsal['id']}/commit"
    admin = person("root@example.com", role=Role.ADMIN)
    first, second, other = await asyncio.gather(
        ingest.post(path), ingest.post(path), ingest.post(path, caller=admin)
    )
    assert first.json()["id"] == second.json()["id"] != other.json()["id"]
    async with ingest.working():
        ends = [
            await ingest.finished(first.json()),
            await ingest.finished(other.json(), caller=admin),
        ]
    assert sorted(end["state"] for end in ends) == ["failed", "succeeded"]
    [failed] = [end for end in ends if end["state"] == "failed"]
    assert failed["error"]["code"] == "already_committed"
    assert await ingest.count() == 2


async def test_what_is_no_dry_run_is_not_committed(working: Ingest) -> None:
    loaded = await working.finished(await working.submit(SPOILT))
    answer = await working.post(f"/api/imports/{loaded['id']}/commit")
    assert (answer.status_code, answer.json()["code"]) == (409, "state_forbids")
    failed = await working.finished(await working.submit(SPOILT, dry_run="true", on_error="abort"))
    assert failed["state"] == "failed"
    answer = await working.post(f"/api/imports/{failed['id']}/commit")
    assert (answer.status_code, answer.json()["code"]) == (409, "state_forbids")
    bob = person("bob@example.com")
    rehearsal = await rehearsed(working)
    answer = await working.post(f"/api/imports/{rehearsal['id']}/commit", caller=bob)
    assert answer.status_code == 404
    assert (await working.post("/api/imports/999999/commit")).status_code == 404


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ("ALTER TABLE data.people ADD note text", "a new column note"),
        ("ALTER TABLE data.people ALTER age TYPE bigint", "age was INTEGER then, and is BIGINT"),
        ("ALTER TABLE data.people ALTER age SET NOT NULL", "age must not be empty now"),
        ("ALTER TABLE data.people ADD UNIQUE (age)", "age is unique now"),
        ("ALTER TABLE data.people RENAME age TO years", "had a column age then"),
    ],
)
async def test_a_table_that_was_changed_takes_nothing(
    working: Ingest, change: str, difference: str
) -> None:
    rehearsal = await rehearsed(working)
    await working.owner.execute(change)
    done = await committed(working, rehearsal)
    assert (done["state"], done["error"]["code"]) == ("failed", "not_as_rehearsed")
    assert difference in done["error"]["detail"]
    assert await working.count() == 0


async def test_a_rival_since_is_named_and_nothing_is_loaded(working: Ingest) -> None:
    await working.owner.execute(KEYED)
    rehearsal = await rehearsed(working)
    await working.owner.execute("INSERT INTO data.people (name, age) VALUES ('Cid', 1)")
    done = await committed(working, rehearsal)
    assert (done["state"], done["error"]["code"]) == ("failed", "not_as_rehearsed")
    assert "rejected: 2 when it was rehearsed, 3 now" in done["error"]["detail"]
    assert "inserted: 2 when it was rehearsed, 1 now" in done["error"]["detail"]
    assert "first line 4: name 'Cid' is in the table already" in done["error"]["detail"]
    assert [each["field"] for each in done["error"]["errors"]] == ["rejected", "inserted"]
    assert await people(working) == [("Cid", 1, None)]
    await working.owner.execute("DELETE FROM data.people")
    answer = await working.post(f"/api/imports/{done['id']}/retry")
    assert answer.status_code == 202, answer.text
    assert (await working.finished(answer.json()))["state"] == "succeeded"
    assert await working.count() == 2


async def test_an_upsert_that_would_update_more_is_not_as_rehearsed(working: Ingest) -> None:
    await working.owner.execute(KEYED)
    await working.owner.execute("INSERT INTO data.people (name, age) VALUES ('Ann', 1)")
    options: dict[str, Any] = {"mode": "upsert", "key": "name"}
    first = await rehearsed(working, **options)
    assert (first["rows"]["inserted"], first["rows"]["updated"]) == (1, 1)
    assert (await committed(working, first))["state"] == "succeeded"
    second = await rehearsed(working, b"name,age\nAnn,31\nDan,2\n", **options)
    await working.owner.execute("INSERT INTO data.people (name, age) VALUES ('Dan', 1)")
    done = await committed(working, second)
    assert done["error"]["code"] == "not_as_rehearsed"
    rows = await working.owner.fetch("SELECT name, age FROM data.people ORDER BY name")
    assert [tuple(row) for row in rows] == [("Ann", 30), ("Cid", 7), ("Dan", 1)]


@only_in_full
async def test_a_replace_and_an_upsert_that_keeps_blanks_are_committed(working: Ingest) -> None:
    await working.owner.execute(KEYED)
    await working.owner.execute("INSERT INTO data.people (name, age) VALUES ('Ann', 1)")
    content = b"name,age\nAnn,\nBob,NA\nCid,3\n"
    options = {"mode": "upsert", "key": "name", "on_blank": "keep", "null_values": "NA"}
    await working.owner.execute("INSERT INTO data.people (name, age) VALUES ('Bob', 2)")
    done = await committed(working, await rehearsed(working, content, **options))
    assert done["state"] == "succeeded", done["error"]
    rows = await working.owner.fetch("SELECT name, age FROM data.people ORDER BY name")
    assert [tuple(row) for row in rows] == [("Ann", 1), ("Bob", None), ("Cid", 3)]
    replaced = await committed(working, await rehearsed(working, mode="replace"))
    assert replaced["state"] == "succeeded", replaced["error"]
    assert [row[0] for row in await people(working)] == ["Ann", "Cid"]


async def test_a_table_is_made_by_the_commit(working: Ingest) -> None:
    content = b"zip,born,Full name\n00501,2024-01-02,Ann\n10001,,Bob\n"
    rehearsal = await rehearsed(working, content, table="fresh", create_table="true")
    done = await committed(working, rehearsal)
    assert done["state"] == "succeeded", done["error"]
    assert done["inferred"] == rehearsal["inferred"]
    rows = await working.owner.fetch('SELECT zip, born::text, "Full_name" FROM data.fresh')
    assert [tuple(row) for row in rows] == [
        ("00501", "2024-01-02", "Ann"),
        ("10001", None, "Bob"),
    ]


async def test_judged_rows_are_kept_as_long_as_promised(ingest: Ingest) -> None:
    async with ingest.working():
        rehearsal = await rehearsed(ingest)
    path = (await ingest.row(rehearsal))["rehearsal_path"]
    await age(ingest, rehearsal["id"], days=6)
    await apply_retention(ingest)
    assert path in ingest.stored()
    await age(ingest, rehearsal["id"], days=2)
    await apply_retention(ingest)
    assert path not in ingest.stored()
    answer = await ingest.post(f"/api/imports/{rehearsal['id']}/commit")
    assert (answer.status_code, answer.json()["code"]) == (409, "rehearsal_gone")


async def test_whoever_may_not_write_any_more_commits_nothing(working: Ingest) -> None:
    rehearsal = await rehearsed(working)
    working.peers.readers.add(ANN.sub)
    answer = await working.post(f"/api/imports/{rehearsal['id']}/commit")
    assert answer.status_code == 403
