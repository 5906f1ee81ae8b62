"""Feeds whose files are sent: made, filled, changed, removed; what they expect."""

import asyncio
import json
from typing import Any

import pytest

from shared.contracts.auth import Role
from tests.ingest.driving import ANN, Ingest
from tests.ingest.feeds.driving import PUSH, call, looked, made, pushed, refused
from tests.support.issuer import person
from tests.support.profile import only_in_full

BOB = person("bob@example.com")
ROWS = b"name,age\nann,7\nbob,8\n"


async def test_a_feed_is_answered_as_it_was_made(ingest: Ingest) -> None:
    feed = await made(
        ingest,
        "nightly/Preise",
        options={"mode": "append", "delimiter": ";", "null_values": ["-"], "mapping": {"x": None}},
        expect={"every": "P1D", "min_rows": 3},
        etl_name="prices",
        email="ann@example.com",
    )
    assert feed["options"] == {"delimiter": ";", "null_values": ["-"], "mapping": {"x": None}}
    assert feed["from"] == PUSH
    assert feed["expect"]["every"] == "P1D"
    assert (feed["health"], feed["history"], feed["last_import"]) == ("new", [], None)
    assert (feed["next_run_at"], feed["cursor"], feed["owner"]) == (None, None, "ann@example.com")
    assert await looked(ingest, "nightly/Preise") == feed


async def test_a_file_is_loaded_with_the_options_of_the_feed(working: Ingest) -> None:
    await made(working, options={"delimiter": ";"}, etl_name="prices")
    run = await pushed(working, b"name;age\nann;7\n")
    assert (run["state"], run["feed"], run["unchanged"]) == ("succeeded", "people", False)
    assert (run["rows"]["loaded"], run["etl_name"]) == (1, "prices")
    feed = await looked(working)
    assert (feed["health"], feed["last_import"]) == ("ok", run["id"])
    (past,) = feed["history"]
    assert (past["state"], past["rows"]["loaded"], past["unchanged"]) == ("succeeded", 1, False)


async def test_the_same_file_again_changes_nothing(working: Ingest) -> None:
    await made(working, expect={"min_rows": 1})
    await pushed(working, ROWS)
    again = await pushed(working, ROWS, file_name="another.csv")
    assert (again["state"], again["unchanged"], again["rows"]["read"]) == ("succeeded", True, 0)
    assert await working.count() == 2
    other = await pushed(working, b"name,age\ncat,9\n")
    assert (other["unchanged"], await working.count()) == (False, 3)
    assert [past["unchanged"] for past in (await looked(working))["history"]] == [
        False,
        True,
        False,
    ]


async def test_the_same_file_is_loaded_again_after_a_reset_or_with_other_options(
    working: Ingest,
) -> None:
    await made(working)
    await pushed(working, ROWS)
    assert (await call(working, "POST", "/api/feeds/people/reset", {"cursor": None})).json()
    assert (await pushed(working, ROWS))["unchanged"] is False
    await call(working, "PATCH", "/api/feeds/people", {"options": {"on_error": "abort"}})
    assert (await pushed(working, ROWS))["unchanged"] is False
    assert await working.count() == 6


async def test_the_same_file_is_loaded_again_after_it_was_undone(working: Ingest) -> None:
    await made(working)
    first = await pushed(working, ROWS)
    undone = json.dumps({"at": "2026-01-01T00:00:00Z", "by": "ann", "import_id": 9})
    await working.owner.execute(
        "UPDATE ingest.imports SET undone = $2::text::jsonb WHERE id = $1", first["id"], undone
    )
    assert (await pushed(working, ROWS))["unchanged"] is False


@pytest.mark.parametrize(
    ("expect", "content", "words"),
    [
        ({"min_rows": 3}, ROWS, "at least 3"),
        ({"max_rejected": 0}, b"name,age\nann,7\nbob,x\n", "at most 0"),
        ({"max_rejected_share": 0.4}, b"name,age\nann,7\nbob,x\n", "50.00%"),
    ],
)
async def test_what_breaks_an_expectation_is_not_loaded(
    working: Ingest, expect: dict[str, Any], content: bytes, words: str
) -> None:
    await made(working, expect=expect)
    run = await pushed(working, content)
    assert (run["state"], run["error"]["code"]) == ("failed", "expectation_failed")
    assert words in run["error"]["detail"]
    assert await working.count() == 0
    feed = await looked(working)
    assert (feed["health"], feed["history"][0]["state"]) == ("failing", "failed")


async def test_a_failed_file_is_not_the_one_that_was_loaded_last(working: Ingest) -> None:
    await made(working, expect={"min_rows": 3})
    await pushed(working, ROWS)
    await call(working, "PATCH", "/api/feeds/people", {"expect": {"min_rows": 2}})
    run = await pushed(working, ROWS)
    assert (run["state"], run["unchanged"], run["rows"]["loaded"]) == ("succeeded", False, 2)


async def test_an_upload_is_pushed_by_its_id(working: Ingest) -> None:
    await made(working)
    upload = await working.upload(ROWS, path="/api/uploads")
    body = {"upload": upload.json()["id"]}
    answer = await call(working, "POST", "/api/feeds/people/runs", body)
    assert answer.status_code == 202, answer.text
    assert (await working.finished(answer.json()))["rows"]["loaded"] == 2


async def test_the_table_is_made_by_the_first_file(working: Ingest) -> None:
    await made(working, table="Visitor", options={"create_table": True})
    for content in (ROWS, b"name,age\ncat,9\n"):
        assert (await pushed(working, content))["state"] == "succeeded"
    assert await working.count("Visitor") == 3


async def test_a_change_keeps_what_it_does_not_name(ingest: Ingest) -> None:
    before = await made(
        ingest, options={"delimiter": ";", "max_errors": 5}, expect={"min_rows": 1}, email="a@b.de"
    )
    change = {"options": {"delimiter": None, "quote": "'"}, "paused": True}
    answer = await call(ingest, "PATCH", "/api/feeds/people", change)
    assert answer.status_code == 200, answer.text
    assert answer.json() == before | {
        "options": {"max_errors": 5, "quote": "'"},
        "paused": True,
        "health": "paused",
    }


async def test_a_feed_does_what_an_import_did(working: Ingest) -> None:
    done = await working.finished(
        await working.submit(
            b"who;age\nann;7\n", delimiter=";", mapping=json.dumps({"who": "name"})
        )
    )
    body = {"name": "again", "like": done["id"], "expect": {"min_rows": 1}}
    answer = await call(working, "POST", "/api/feeds", body)
    assert answer.status_code == 201, answer.text
    feed = answer.json()
    assert (feed["table"], feed["from"]) == ("people", PUSH)
    assert feed["options"] == {"delimiter": ";", "mapping": {"who": "name"}}
    assert (await pushed(working, b"who;age\nbob;8\n", name="again"))["rows"]["loaded"] == 1


async def test_a_failed_import_is_not_repeated(working: Ingest) -> None:
    failed = await working.finished(await working.submit(b"name,age\nann,x\n"))
    assert failed["state"] == "failed"
    answer = await call(working, "POST", "/api/feeds", {"name": "again", "like": failed["id"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "import_not_repeatable")


@pytest.mark.parametrize(
    ("settings", "status", "errors"),
    [
        ({"schedule": {"every_s": 60}}, 422, [("schedule", "not_for_push")]),
        ({"schedule": {"every_s": 59}}, 422, [("schedule.every_s", "out_of_range")]),
        ({"schedule": {"cron": "61 * * * *"}}, 422, [("schedule.cron", "invalid_cron")]),
        ({"schedule": {"cron": "0 0 30 2 *"}}, 422, [("schedule.cron", "invalid_cron")]),
        (
            {"schedule": {"cron": "0 2 * * *", "timezone": "Mars/Base"}},
            422,
            [("schedule.timezone", "unknown_timezone")],
        ),
        ({"schedule": {}}, 422, [("schedule", "cron_or_every_s")]),
        ({"options": {"dry_run": True}}, 422, [("options.dry_run", "not_for_feeds")]),
        ({"options": {"mode": "upsert"}}, 422, [("options.key", "key_and_mode")]),
        (
            {"options": {"mode": "upsert", "key": ["age"]}},
            422,
            [("options.key", "not_unique")],
        ),
        ({"options": {"email": "a@b.de"}}, 422, [("options.email", "unknown_field")]),
        ({"options": {"delimiter": "abcde"}}, 422, [("options.delimiter", "invalid_delimiter")]),
        *(
            ({"expect": {"every": every}}, 422, [("expect.every", "invalid_duration")])
            for every in ("1 day", "-P1D", "+P1D", "P0D", "P1DT-1H", "P900000Y", "P1M-1D")
        ),
        ({"expect": {"min_rows": -1}}, 422, [("expect.min_rows", "greater_than_equal")]),
        ({"incremental": {"column": "age"}}, 422, [("incremental", "database_only")]),
        ({"from": {"kind": "ftp"}}, 422, [("from", "union_tag_invalid")]),
        ({"from": None}, 422, [("from", "missing")]),
        ({"table": "nowhere"}, 404, [("", "not_found")]),
        ({"name": ".."}, 422, [("name", "invalid_name")]),
    ],
)  # fmt: skip
async def test_what_cannot_work_is_refused_by_field(
    ingest: Ingest, settings: dict[str, Any], status: int, errors: list[tuple[str, str]]
) -> None:
    assert await refused(ingest, **settings) == (status, errors)


@pytest.mark.parametrize("every", ["P1D", "P2W", "P1Y2M3W4DT5H6M7.5S", "PT90M", "P10Y"])
async def test_postgresql_reads_every_duration(ingest: Ingest, every: str) -> None:
    await made(ingest, expect={"every": every})
    assert (await looked(ingest))["health"] == "new"


async def test_names_are_taken_once(ingest: Ingest) -> None:
    await made(ingest)
    assert await refused(ingest) == (409, [("", "feed_exists")])


async def test_a_feed_is_its_owners(ingest: Ingest) -> None:
    await made(ingest)
    for method, path, body in (
        ("GET", "/api/feeds/people", None),
        ("PATCH", "/api/feeds/people", {"paused": True}),
        ("POST", "/api/feeds/people/reset", {"cursor": None}),
        ("POST", "/api/feeds/people/runs", None),
        ("DELETE", "/api/feeds/people", None),
    ):
        answer = await call(ingest, method, path, body, caller=BOB)
        assert (answer.status_code, method) == (404, method)
    assert (await call(ingest, "GET", "/api/feeds", caller=BOB)).json()["items"] == []
    admin = person("root@example.com", role=Role.ADMIN)
    assert (await looked(ingest, caller=admin))["owner"] == ANN.email


async def test_feeds_are_listed_by_table_and_health(ingest: Ingest) -> None:
    await ingest.peers.make_table("other", {"name": "text"})
    for name, table, paused in (
        ("a", "people", False),
        ("b", "other", False),
        ("c", "other", True),
    ):
        await made(ingest, name, table=table, paused=paused)

    async def names(query: str) -> list[str]:
        answer = await call(ingest, "GET", f"/api/feeds?{query}")
        return [feed["name"] for feed in answer.json()["items"]]

    assert await names("") == ["a", "b", "c"]
    assert await names("table=other") == ["b", "c"]
    assert await names("health=paused") == ["c"]
    assert await names("table=other&health=new") == ["b"]
    first = (await call(ingest, "GET", "/api/feeds?limit=2")).json()
    assert [feed["name"] for feed in first["items"]] == ["a", "b"]
    rest = (await call(ingest, "GET", first["next"])).json()
    assert ([feed["name"] for feed in rest["items"]], rest["next"]) == (["c"], None)


async def test_a_removed_feed_leaves_its_rows_and_fails_its_waiting_run(ingest: Ingest) -> None:
    await made(ingest)
    async with ingest.working():
        done = await pushed(ingest, ROWS)
    waiting = (await ingest.upload(b"name,age\ncat,9\n", path="/api/feeds/people/runs")).json()
    assert (await call(ingest, "DELETE", "/api/feeds/people")).status_code == 204
    assert (await call(ingest, "DELETE", "/api/feeds/people")).status_code == 404
    async with ingest.working():
        failed = await ingest.finished(waiting)
    assert (failed["state"], failed["error"]["code"]) == ("failed", "feed_removed")
    assert (await ingest.look(done))["feed"] == "people"
    assert await ingest.count() == 2


@only_in_full
async def test_a_feed_that_is_past_its_time_is_late_until_it_runs(working: Ingest) -> None:
    await made(working, expect={"every": "PT1H"})
    await working.owner.execute(
        "UPDATE ingest.feeds SET active_since = now() - interval '61 minutes'"
    )
    assert (await looked(working))["health"] == "late"
    await pushed(working, ROWS)
    assert (await looked(working))["health"] == "ok"


async def test_a_push_takes_no_options_and_no_nothing(ingest: Ingest) -> None:
    await made(ingest)
    answer = await ingest.upload(ROWS, path="/api/feeds/people/runs", delimiter=";")
    assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [
        ("delimiter", "unknown_field")
    ]
    answer = await call(ingest, "POST", "/api/feeds/people/runs")
    assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [("file", "missing")]
    await ingest.comes_to_store([])


async def test_two_changes_at_once_are_not_mixed(ingest: Ingest) -> None:
    await made(ingest)
    changes = [{"email": f"{at}@example.com"} for at in range(5)]
    answers = await asyncio.gather(
        *(call(ingest, "PATCH", "/api/feeds/people", change) for change in changes)
    )
    statuses = {answer.status_code for answer in answers}
    assert statuses <= {200, 409}
    assert 200 in statuses
