"""Columns that an import adds: for owners, and told in the answer."""

from tests.ingest.driving import Ingest
from tests.support.issuer import person

CSV = b"name,age,day\nAnn,1,2024-01-31\n"


async def test_only_an_owner_may_have_columns_added(working: Ingest) -> None:
    working.peers.owners["people"] = person("bob@example.com").sub
    refused = await working.upload(CSV, table="people", on_new_column="add")
    assert (refused.status_code, refused.json()["code"]) == (403, "grant_missing")
    working.peers.owners["people"] = person("ann@example.com").sub
    import_ = await working.submit(CSV, table="people", on_new_column="add")
    done = await working.finished(import_)
    assert (done["state"], done["rows"]["loaded"]) == ("succeeded", 1), done["error"]
    assert [(each["column"], each["type"]) for each in done["inferred"]] == [("day", "DATE")]
    assert await working.owner.fetchval("SELECT day::text FROM data.people") == "2024-01-31"


async def test_a_rehearsal_that_would_add_columns_is_not_committed(working: Ingest) -> None:
    working.peers.owners["people"] = person("ann@example.com").sub
    import_ = await working.submit(CSV, table="people", on_new_column="add", dry_run="true")
    done = await working.finished(import_)
    assert (done["state"], done["rows"]["inserted"]) == ("succeeded", 1), done["error"]
    answer = await working.post(f"/api/imports/{import_['id']}/commit")
    assert answer.status_code == 409
    assert "add columns" in answer.json()["detail"]
