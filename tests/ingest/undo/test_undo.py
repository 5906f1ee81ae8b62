"""An import is taken back: what it inserted goes, what it overwrote or removed comes back."""

from collections.abc import Mapping
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.ingest.driving import ANN, Ingest
from tests.support.issuer import person
from tests.support.profile import only_in_full
from tests.support.waiting import until

ROWS = "id, _import, name, age"


@pytest_asyncio.fixture
async def undoing(working: Ingest) -> Ingest:
    """A worker, and the table `people` with a unique name."""
    await working.owner.execute("ALTER TABLE data.people ADD UNIQUE (name)")
    return working


async def loaded(ingest: Ingest, content: str, **options: Any) -> dict[str, Any]:
    done = await ingest.finished(await ingest.submit(content.encode(), **options))
    assert done["state"] == "succeeded", done["error"]
    return done


async def asked(
    ingest: Ingest, import_: Mapping[str, Any], edited: str | None = None, **more: Any
) -> httpx2.Response:
    return await ingest.http.post(
        f"/api/imports/{import_['id']}/undo",
        json=None if edited is None else {"edited": edited},
        headers=ingest.issuer.bearer(more.get("caller", ANN)),
    )


async def undone(
    ingest: Ingest, import_: Mapping[str, Any], edited: str | None = None
) -> dict[str, Any]:
    answer = await asked(ingest, import_, edited)
    assert answer.status_code == 202, answer.text
    undo = answer.json()
    assert answer.headers["location"] == f"/api/imports/{undo['id']}"
    assert (undo["kind"], undo["follows"]) == ("undo", import_["id"])
    done = await ingest.finished(undo)
    assert done["state"] == "succeeded", done["error"]
    first = await ingest.look(import_)
    assert first["undone"]["import"] == done["id"]
    assert first["undone"]["by"] == "ann@example.com"
    return done


async def refused(
    ingest: Ingest, import_: Mapping[str, Any], edited: str | None = None
) -> dict[str, Any]:
    answer = await asked(ingest, import_, edited)
    assert answer.status_code == 409, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def rows(ingest: Ingest, columns: str = ROWS) -> list[tuple[Any, ...]]:
    found = await ingest.owner.fetch(f"SELECT {columns} FROM data.people ORDER BY id")
    return [tuple(row) for row in found]


async def edit(ingest: Ingest, statement: str) -> None:
    """As records does it, with `_version` raised."""
    await ingest.owner.execute(statement.replace("SET", "SET _version = _version + 1,"))


async def test_an_append_is_undone(undoing: Ingest) -> None:
    await loaded(undoing, "name,age\nAnn,1\n")
    await undoing.owner.execute("INSERT INTO data.people (name) VALUES ('by hand')")
    before = await rows(undoing)
    second = await loaded(undoing, "name,age\nBob,2\nCat,3\n")
    last = await loaded(undoing, "name,age\nDan,4\n")
    done = await undone(undoing, second)
    assert done["deleted"] == 2
    assert done["rows"] == {
        "read": 0,
        "loaded": 0,
        "rejected": 0,
        "inserted": 0,
        "updated": 0,
        "corrected": 0,
    }
    assert (await rows(undoing))[: len(before)] == before
    assert [row[1:] for row in await rows(undoing)][len(before) :] == [(last["id"], "Dan", 4)]
    await loaded(undoing, "name,age\nBob,2\n")


async def test_what_was_undone_is_not_undone_again(undoing: Ingest) -> None:
    first = await loaded(undoing, "name,age\nAnn,1\n")
    undo = await undone(undoing, first)
    again = await refused(undoing, first)
    assert again["code"] == "not_undoable"
    assert f"import {undo['id']} has undone it" in again["detail"]
    assert "an undo cannot be undone" in (await refused(undoing, undo))["detail"]
    events = await undoing.owner.fetch(
        "SELECT action, detail FROM audit.events WHERE object = $1 ORDER BY id",
        f"import:{first['id']}",
    )
    assert "import.undone" in [row["action"] for row in events]


async def test_edited_and_deleted_records_are_counted_and_named(undoing: Ingest) -> None:
    first = await loaded(undoing, "name,age\n" + "".join(f"p{n},{n}\n" for n in range(30)))
    await edit(undoing, "UPDATE data.people SET age = 99 WHERE age BETWEEN 1 AND 12")
    await undoing.owner.execute("DELETE FROM data.people WHERE age = 20")
    answer = await refused(undoing, first)
    assert answer["code"] == "edited_since"
    assert "12 edited; 1 deleted" in answer["detail"]
    assert len(answer["errors"]) == 10
    assert answer["errors"][0] == {
        "field": "record 2",
        "code": "edited",
        "message": "edited since, now in version 2",
    }
    assert await undoing.count() == 29
    done = await undone(undoing, first, "keep")
    assert (done["deleted"], done["rows"]["rejected"]) == (17, 12)
    assert [row[3] for row in await rows(undoing)] == [99] * 12


async def test_edited_records_go_too_where_that_is_asked_for(undoing: Ingest) -> None:
    first = await loaded(undoing, "name,age\nAnn,1\nBob,2\n")
    await edit(undoing, "UPDATE data.people SET age = 99 WHERE name = 'Ann'")
    done = await undone(undoing, first, "overwrite")
    assert done["deleted"] == 2
    assert await undoing.count() == 0


async def test_an_upsert_is_undone(undoing: Ingest) -> None:
    await loaded(undoing, "name,age\nAnn,1\nBob,2\n")
    await undoing.owner.execute("INSERT INTO data.people (name, age) VALUES ('by hand', 7)")
    before, versions = await rows(undoing), dict(await rows(undoing, "id, _version"))
    upsert = await loaded(
        undoing, "name,age\nAnn,10\nby hand,70\nnew,80\n", mode="upsert", key="name"
    )
    assert upsert["rows"]["updated"] == 2
    await until("the upload is removed", lambda: len(undoing.stored()) == 1)
    done = await undone(undoing, upsert)
    assert (done["deleted"], done["rows"]["updated"], done["rows"]["inserted"]) == (1, 2, 0)
    assert await rows(undoing) == before
    now = dict(await rows(undoing, "id, _version"))
    assert {number: now[number] - versions[number] for number in now} == {1: 2, 2: 0, 3: 2}


@only_in_full
async def test_after_an_upsert_was_undone_the_first_import_can_be(undoing: Ingest) -> None:
    first = await loaded(undoing, "name,age\nAnn,1\nBob,2\nCat,3\n")
    upsert = await loaded(undoing, "name,age\nAnn,10\nBob,20\n", mode="upsert", key="name")
    late = await refused(undoing, first)
    assert f"2 overwritten or removed by import {upsert['id']}" in late["detail"]
    assert [error["code"] for error in late["errors"]] == ["rewritten", "rewritten"]
    await undone(undoing, upsert)
    await edit(undoing, "UPDATE data.people SET age = 99 WHERE name = 'Bob'")
    late = await refused(undoing, first)
    assert [error["field"] for error in late["errors"]] == ["record 2"]
    await undone(undoing, first, "keep")
    assert [row[2:] for row in await rows(undoing)] == [("Bob", 99)]


async def test_an_upsert_whose_records_were_changed_since(undoing: Ingest) -> None:
    await loaded(undoing, "name,age\nAnn,1\nBob,2\nCat,3\n")
    before = await rows(undoing)
    upsert = await loaded(
        undoing, "name,age\nAnn,10\nBob,20\nCat,30\nnew,40\n", mode="upsert", key="name"
    )
    await edit(undoing, "UPDATE data.people SET age = 99 WHERE name = 'Ann'")
    await undoing.owner.execute("DELETE FROM data.people WHERE name = 'Bob'")
    answer = await refused(undoing, upsert)
    assert [(error["field"], error["code"]) for error in answer["errors"]] == [
        ("record 1", "edited"),
        ("record 2", "deleted"),
    ]
    done = await undone(undoing, upsert, "overwrite")
    assert (done["rows"]["updated"], done["rows"]["inserted"], done["deleted"]) == (2, 1, 1)
    assert await rows(undoing) == before


async def test_of_an_upsert_changed_records_can_stay(undoing: Ingest) -> None:
    await loaded(undoing, "name,age\nAnn,1\nBob,2\nCat,3\n")
    upsert = await loaded(undoing, "name,age\nAnn,10\nBob,20\nCat,30\n", mode="upsert", key="name")
    await edit(undoing, "UPDATE data.people SET age = 99 WHERE name = 'Ann'")
    await undoing.owner.execute("DELETE FROM data.people WHERE name = 'Bob'")
    await undone(undoing, upsert, "keep")
    assert [row[2:] for row in await rows(undoing)] == [("Ann", 99), ("Cat", 3)]


async def test_a_replace_is_undone(undoing: Ingest) -> None:
    first = await loaded(undoing, "name,age\nAnn,1\nBob,2\n")
    await edit(undoing, "UPDATE data.people SET age = 9 WHERE name = 'Ann'")
    before = await rows(undoing, f"{ROWS}, _version")
    replace = await loaded(undoing, "name,age\nAnn,10\nnew,80\n", mode="replace")
    assert replace["deleted"] == 2
    await undoing.owner.execute("INSERT INTO data.people (name) VALUES ('by hand')")
    late = await refused(undoing, first)
    assert f"2 overwritten or removed by import {replace['id']}" in late["detail"]
    done = await undone(undoing, replace)
    assert (done["deleted"], done["rows"]["inserted"]) == (2, 2)
    after = await rows(undoing, f"{ROWS}, _version")
    assert after[:2] == before
    assert after[2][2] == "by hand"
    assert (await refused(undoing, first))["errors"][0]["field"] == "record 1"


async def test_a_key_that_another_took_meanwhile_is_named(undoing: Ingest) -> None:
    await loaded(undoing, "name,age\nAnn,1\nBob,2\n")
    replace = await loaded(undoing, "name,age\nnew,80\n", mode="replace")
    await undoing.owner.execute("INSERT INTO data.people (name) VALUES ('Ann')")
    before = await rows(undoing)
    answer = await asked(undoing, replace)
    done = await undoing.finished(answer.json())
    assert (done["state"], done["error"]["code"]) == ("failed", "key_taken")
    assert "(name)=(Ann)" in done["error"]["detail"]
    assert await rows(undoing) == before
    assert (await undoing.look(replace))["undone"] is None
    await undoing.owner.execute("DELETE FROM data.people WHERE name = 'Ann'")
    again = await undoing.post(f"/api/imports/{done['id']}/retry")
    assert again.status_code == 202
    assert (await undoing.finished(done))["state"] == "succeeded"
    assert [row[2] for row in await rows(undoing)] == ["Ann", "Bob"]


@only_in_full
async def test_a_replace_by_ids_is_undone_to_the_former_values(undoing: Ingest) -> None:
    await loaded(undoing, "name,age\nAnn,1\nBob,2\n")
    before = await rows(undoing)
    replace = await loaded(
        undoing, "id,name,age\n2,Ann,20\n9,Bob,90\n", mode="replace", mapping='{"id": "id"}'
    )
    await undone(undoing, replace)
    assert await rows(undoing) == before


@only_in_full
async def test_columns_may_be_renamed_and_added_but_not_gone(undoing: Ingest) -> None:
    await loaded(undoing, "name,age\nAnn,1\n")
    upsert = await loaded(undoing, "name,age\nAnn,10\n", mode="upsert", key="name")
    second = await loaded(undoing, "name,age\nAnn,100\n", mode="upsert", key="name")
    await undoing.owner.execute("ALTER TABLE data.people RENAME age TO years")
    await undoing.owner.execute("ALTER TABLE data.people ADD extra text DEFAULT 'x'")
    await undoing.owner.execute("ALTER TABLE data.people RENAME TO persons")
    await undone(undoing, second)
    found = await undoing.owner.fetch("SELECT name, years, extra FROM data.persons")
    assert [tuple(row) for row in found] == [("Ann", 10, "x")]
    await undoing.owner.execute("ALTER TABLE data.persons ALTER years TYPE bigint")
    answer = await refused(undoing, upsert)
    assert answer["code"] == "not_undoable"
    assert "years was integer then, and is bigint now" in answer["detail"]
    await undoing.owner.execute("ALTER TABLE data.persons DROP years")
    assert "column age is gone" in (await refused(undoing, upsert))["detail"]
    await undoing.owner.execute("DROP TABLE data.persons")
    assert "the table is gone" in (await refused(undoing, upsert))["detail"]


@pytest.mark.parametrize("mode", ["append", "upsert", "replace"])
async def test_a_dry_run_keeps_nothing_and_is_not_undone(undoing: Ingest, mode: str) -> None:
    await loaded(undoing, "name,age\nAnn,1\n")
    more = {"key": "name"} if mode == "upsert" else {}
    done = await loaded(undoing, "name,age\nAnn,2\nBob,3\n", mode=mode, dry_run="true", **more)
    assert not [path for path in undoing.stored() if path.startswith("former/")]
    assert "dry run" in (await refused(undoing, done))["detail"]


@only_in_full
async def test_former_rows_that_are_too_old_are_gone(undoing: Ingest) -> None:
    await loaded(undoing, "name,age\nAnn,1\n")
    upsert = await loaded(undoing, "name,age\nAnn,10\nBob,20\n", mode="upsert", key="name")
    await undoing.owner.execute(
        "UPDATE ingest.imports SET finished_at = finished_at - interval '8 days' WHERE id = $1",
        upsert["id"],
    )
    async with undoing.working(housekeeping_s=0.1):
        await undoing.until(
            "SELECT former_path IS NULL FROM ingest.imports WHERE id = $1", upsert["id"]
        )
    await undoing.comes_to_store([])
    answer = await refused(undoing, upsert)
    assert answer["code"] == "not_undoable"
    assert "no longer kept" in answer["detail"]


@only_in_full
async def test_former_rows_go_with_their_table_and_with_the_undo(undoing: Ingest) -> None:
    await loaded(undoing, "name,age\nAnn,1\n")
    first = await loaded(undoing, "name,age\nAnn,10\n", mode="upsert", key="name")
    await loaded(undoing, "name,age\nAnn,20\n", mode="upsert", key="name")
    await until("the uploads are removed", lambda: len(undoing.stored()) == 2)
    await undone(undoing, first, "overwrite")
    await undoing.owner.execute("DROP TABLE data.people")
    async with undoing.working(housekeeping_s=0.1):
        await undoing.until("SELECT count(*) = 0 FROM ingest.imports WHERE former_path IS NOT NULL")
    await undoing.comes_to_store([])


async def test_nothing_is_kept_where_undo_is_switched_off(ingest: Ingest) -> None:
    await ingest.owner.execute("ALTER TABLE data.people ADD UNIQUE (name)")
    async with ingest.working(undo_retention_days=0):
        append = await loaded(ingest, "name,age\nAnn,1\n")
        upsert = await loaded(ingest, "name,age\nAnn,10\n", mode="upsert", key="name")
        await ingest.comes_to_store([])
        assert "no longer kept" in (await refused(ingest, upsert))["detail"]
        await undone(ingest, append, "keep")


async def test_only_who_may_see_and_write_may_undo(undoing: Ingest) -> None:
    first = await loaded(undoing, "name,age\nAnn,1\n")
    bob, cat = person("bob@example.com"), person("cat@example.com")
    assert (await asked(undoing, first, caller=bob)).status_code == 404
    undoing.peers.owners["people"] = cat.sub
    undoing.peers.readers.add(ANN.sub)
    assert (await asked(undoing, first)).status_code == 403
    answer = await asked(undoing, first, caller=cat)
    assert answer.status_code == 202
    assert (await undoing.finished(answer.json(), caller=cat))["state"] == "succeeded"
    assert await undoing.count() == 0
    invalid = await asked(undoing, first, "perhaps")
    assert (invalid.status_code, invalid.json()["errors"][0]["field"]) == (422, "edited")


async def test_an_import_that_has_not_succeeded_is_not_undone(ingest: Ingest) -> None:
    queued = await ingest.submit(b"name,age\nAnn,1\n")
    assert "it is queued: cancel it instead" in (await refused(ingest, queued))["detail"]
    await ingest.post(f"/api/imports/{queued['id']}/cancel")
    assert "nothing of it is in the table" in (await refused(ingest, queued))["detail"]


async def test_the_catalog_hears_when_nothing_of_an_etl_is_left(undoing: Ingest) -> None:
    first = await loaded(undoing, "name,age\nAnn,1\n", etl_name="nightly")
    second = await loaded(undoing, "name,age\nBob,2\n", etl_name="nightly")
    await undone(undoing, first)
    await undone(undoing, second)
    await undoing.until("SELECT count(*) = 0 FROM ingest.outbox")
    assert [(edge.etl_name, edge.table_name, edge.import_id) for edge in undoing.peers.undone] == [
        ("nightly", "people", second["id"])
    ]


@pytest.mark.parametrize("rule", ["NO ACTION", "CASCADE", "SET NULL"])
async def test_records_that_others_reference_do_not_go(undoing: Ingest, rule: str) -> None:
    first = await loaded(undoing, "name,age\nAnn,1\nBob,2\n")
    await undoing.owner.execute(
        "CREATE TABLE data.pets (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,"
        f" owner bigint REFERENCES data.people (id) ON DELETE {rule})"
    )
    await undoing.owner.execute("GRANT ALL ON data.pets TO ingest")
    await undoing.owner.execute("INSERT INTO data.pets (owner) VALUES (2)")
    done = await undoing.finished((await asked(undoing, first)).json())
    assert (done["state"], done["error"]["code"]) == ("failed", "still_referenced")
    assert "owner of pets references a record that would go: id 2" in done["error"]["detail"]
    assert await undoing.count() == 2
    await undoing.owner.execute("DELETE FROM data.pets")
    await undone(undoing, first)
    assert await undoing.count() == 0


async def test_records_that_reference_each_other_go_together(undoing: Ingest) -> None:
    await undoing.owner.execute(
        "ALTER TABLE data.people ADD boss text REFERENCES data.people (name)"
    )
    first = await loaded(undoing, "name,boss\nAnn,\nBob,Ann\n")
    await loaded(undoing, "name,boss\nCat,Bob\n")
    done = await undoing.finished((await asked(undoing, first)).json())
    assert done["error"]["code"] == "still_referenced"
    await undoing.owner.execute("DELETE FROM data.people WHERE name = 'Cat'")
    await undone(undoing, first)
    assert await undoing.count() == 0
