"""Feeds that read a saved database: whole or only what is new, now or by a schedule."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from tests.ingest.connections.driving import Elsewhere
from tests.ingest.driving import Ingest
from tests.ingest.feeds.driving import call, looked, made, refused, run
from tests.support.oracle import types
from tests.support.oracle.database import Column, Table
from tests.support.profile import only_in_full

ORDERS = """
CREATE TABLE orders (number int, total numeric(8,2), updated_at timestamptz);
INSERT INTO orders VALUES (1, 1.50, '2026-01-01 10:00Z'), (2, 2.50, '2026-01-01 11:00Z')
"""
UPSERT = {"mode": "upsert", "key": ["number"]}


async def source(elsewhere: Elsewhere, **given: Any) -> int:
    body = {"name": "shop", **(given or elsewhere.postgresql)}
    answer = await call(elsewhere.ingest, "POST", "/api/sources", body)
    assert answer.status_code == 201, answer.text
    saved: int = answer.json()["id"]
    return saved


async def orders(elsewhere: Elsewhere, **settings: Any) -> dict[str, Any]:
    """A feed of the table `orders` into one of the same name."""
    await elsewhere.owner.execute(ORDERS)
    columns = {"number": "integer UNIQUE", "total": "numeric(8,2)", "updated_at": "timestamptz"}
    await elsewhere.ingest.peers.make_table("orders", columns)
    origin = {"kind": "database", "source_id": await source(elsewhere), "table": "orders"}
    settings = {"table": "orders", "from": origin, "options": UPSERT, **settings}
    return await made(elsewhere.ingest, "orders", **settings)


async def ran(ingest: Ingest) -> dict[str, Any]:
    done = await ingest.finished(await run(ingest, "orders"))
    assert done["state"] == "succeeded", done
    return done


async def numbers(elsewhere: Elsewhere) -> list[int]:
    return [row[0] for row in await elsewhere.rows("orders", "number")]


async def test_a_table_is_loaded_whole_at_each_run(elsewhere: Elsewhere) -> None:
    feed = await orders(elsewhere)
    assert feed["from"]["table"] == "orders"
    async with elsewhere.ingest.working():
        done = await ran(elsewhere.ingest)
        assert (done["kind"], done["feed"], done["etl_name"]) == ("database", "orders", "orders")
        assert (done["rows"]["inserted"], done["cursor"]) == (2, None)
        done = await ran(elsewhere.ingest)
        assert (done["rows"]["inserted"], done["rows"]["updated"]) == (0, 2)


async def test_only_what_is_new_is_read(elsewhere: Elsewhere) -> None:
    feed = await orders(elsewhere, incremental={"column": "UPDATED_AT"})
    assert feed["incremental"]["inclusive"] is True
    ingest = elsewhere.ingest
    async with ingest.working():
        done = await ran(ingest)
        assert done["rows"]["read"] == 2
        assert done["cursor"] == {
            "column": "UPDATED_AT",
            "after": None,
            "up_to": "2026-01-01 11:00:00+00",
            "nulls": 0,
        }
        await elsewhere.owner.execute(
            "INSERT INTO orders VALUES (3, 3, '2026-01-01 12:00Z'), (4, 4, NULL)"
        )
        done = await ran(ingest)
        # The row at the cursor is read again, so that one of the same time is never missed.
        assert (done["rows"]["read"], done["rows"]["inserted"]) == (2, 1)
        assert (done["cursor"]["after"], done["cursor"]["nulls"]) == ("2026-01-01 11:00:00+00", 1)
        assert (await looked(ingest, "orders"))["cursor"] == "2026-01-01 12:00:00+00"
        # Nothing new: the cursor stays.
        assert (await ran(ingest))["rows"]["inserted"] == 0
        assert (await looked(ingest, "orders"))["cursor"] == "2026-01-01 12:00:00+00"
    assert await numbers(elsewhere) == [1, 2, 3]


async def test_equal_values_at_the_edge_are_neither_missed_nor_doubled(
    elsewhere: Elsewhere,
) -> None:
    await orders(elsewhere, incremental={"column": "updated_at"})
    async with elsewhere.ingest.working():
        await ran(elsewhere.ingest)
        await elsewhere.owner.execute("INSERT INTO orders VALUES (3, 3, '2026-01-01 11:00Z')")
        await ran(elsewhere.ingest)
    assert await numbers(elsewhere) == [1, 2, 3]


@only_in_full
async def test_rows_that_come_late_are_read_within_the_lookback(elsewhere: Elsewhere) -> None:
    await orders(elsewhere, incremental={"column": "updated_at", "lookback": "PT30M"})
    async with elsewhere.ingest.working():
        await ran(elsewhere.ingest)
        await elsewhere.owner.execute(
            "INSERT INTO orders VALUES (3, 3, '2026-01-01 10:45Z'), (4, 4, '2026-01-01 10:15Z')"
        )
        await ran(elsewhere.ingest)
    assert await numbers(elsewhere) == [1, 2, 3]


async def test_an_append_reads_only_what_is_beyond_the_cursor(elsewhere: Elsewhere) -> None:
    feed = await orders(
        elsewhere, options={"mode": "append"}, incremental={"column": "number", "start": "1"}
    )
    assert feed["incremental"] == {
        "column": "number",
        "start": "1",
        "lookback": None,
        "inclusive": False,
    }
    ingest = elsewhere.ingest
    async with ingest.working():
        await ran(ingest)
        assert (await looked(ingest, "orders"))["cursor"] == "2"
        assert (await ran(ingest))["rows"]["read"] == 0
        await elsewhere.owner.execute("INSERT INTO orders VALUES (3, 3, now())")
        await ran(ingest)
    assert await numbers(elsewhere) == [2, 3]


async def test_a_run_that_fails_leaves_the_cursor(elsewhere: Elsewhere) -> None:
    await orders(elsewhere, incremental={"column": "number"}, expect={"min_rows": 3})
    ingest = elsewhere.ingest
    async with ingest.working():
        failed = await ingest.finished(await run(ingest, "orders"))
        assert failed["error"]["code"] == "expectation_failed"
    assert (await looked(ingest, "orders"))["cursor"] is None
    assert await numbers(elsewhere) == []


async def test_a_reset_says_where_a_feed_goes_on(elsewhere: Elsewhere) -> None:
    await orders(elsewhere, incremental={"column": "number"})
    ingest = elsewhere.ingest
    async with ingest.working():
        await ran(ingest)
        await ingest.owner.execute("DELETE FROM data.orders")
        answer = await call(ingest, "POST", "/api/feeds/orders/reset", {"cursor": "2"})
        assert answer.json()["cursor"] == "2"
        await ran(ingest)
        assert await numbers(elsewhere) == [2]
        await call(ingest, "POST", "/api/feeds/orders/reset", {"cursor": None})
        await ran(ingest)
    assert sorted(await numbers(elsewhere)) == [1, 2]
    answer = await call(ingest, "POST", "/api/feeds/orders/reset", {"cursor": "soon"})
    assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [
        ("cursor", "type_mismatch")
    ]


@pytest.mark.parametrize(
    ("settings", "errors"),
    [
        ({"incremental": {"column": "changed"}}, [("incremental.column", "unknown_column")]),
        ({"incremental": {"column": "flag"}}, [("incremental.column", "no_order")]),
        (
            {"incremental": {"column": "number", "start": "x"}},
            [("incremental.start", "type_mismatch")],
        ),
        (
            {"incremental": {"column": "at", "start": "infinity"}},
            [("incremental.start", "type_mismatch")],
        ),
        (
            {"incremental": {"column": "number", "lookback": "5"}, "options": {}},
            [("incremental.lookback", "needs_upsert")],
        ),
        (
            {"incremental": {"column": "number", "lookback": "PT1H"}},
            [("incremental.lookback", "type_mismatch")],
        ),
        (
            {"incremental": {"column": "number", "lookback": "-5"}},
            [("incremental.lookback", "type_mismatch")],
        ),
        (
            {"incremental": {"column": "number"}, "options": {"mode": "replace"}},
            [("options.mode", "not_incremental")],
        ),
        ({"options": {**UPSERT, "delimiter": ";"}}, [("options.delimiter", "files_only")]),
        ({"from": {"kind": "database", "source_id": 99, "table": "t"}},
         [("from.source_id", "unknown_source")]),
        ({"from": {"kind": "database", "source_id": 1}}, [("from.table", "table_or_query")]),
        ({"from": {"kind": "database", "source_id": 1, "table": "nowhere"}},
         [("table", "no_such_table")]),
    ],
)  # fmt: skip
async def test_what_cannot_be_read_is_refused_at_once(
    elsewhere: Elsewhere, settings: dict[str, Any], errors: list[tuple[str, str]]
) -> None:
    await elsewhere.owner.execute("CREATE TABLE orders (number int, flag boolean, at timestamp)")
    columns = {"number": "integer UNIQUE", "flag": "boolean", "at": "timestamp"}
    await elsewhere.ingest.peers.make_table("orders", columns)
    origin = {"kind": "database", "source_id": await source(elsewhere), "table": "orders"}
    given = {"table": "orders", "from": origin, "options": UPSERT, **settings}
    assert await refused(elsewhere.ingest, "orders", **given) == (422, errors)


async def test_a_source_that_is_away_holds_up_no_other_change(elsewhere: Elsewhere) -> None:
    await orders(elsewhere)
    await elsewhere.owner.execute("DROP TABLE orders")
    for change, status in (
        ({"email": "bob@example.com", "schedule": {"every_s": 60}}, 200),
        ({"paused": True}, 200),
        ({"incremental": {"column": "number"}}, 422),
    ):
        answer = await call(elsewhere.ingest, "PATCH", "/api/feeds/orders", change)
        assert answer.status_code == status, answer.text


async def test_a_source_is_kept_while_a_feed_reads_it(elsewhere: Elsewhere) -> None:
    feed = await orders(elsewhere)
    path = f"/api/sources/{feed['from']['source_id']}"
    answer = await call(elsewhere.ingest, "DELETE", path)
    assert (answer.status_code, answer.json()["code"]) == (409, "source_in_use")
    await call(elsewhere.ingest, "DELETE", "/api/feeds/orders")
    assert (await call(elsewhere.ingest, "DELETE", path)).status_code == 204


async def test_a_feed_that_runs_has_no_second_run_beside_it(elsewhere: Elsewhere) -> None:
    await orders(elsewhere)
    first = await run(elsewhere.ingest, "orders")
    assert (await run(elsewhere.ingest, "orders"))["id"] == first["id"]


async def test_a_key_stands_for_one_run(elsewhere: Elsewhere) -> None:
    await orders(elsewhere)
    ingest = elsewhere.ingest
    async with ingest.working():
        first = await ingest.finished(await run(ingest, "orders", **{"Idempotency-Key": "1"}))
        again = await run(ingest, "orders", **{"Idempotency-Key": "1"})
        assert again["id"] == first["id"]
        other = await run(ingest, "orders", **{"Idempotency-Key": "2"})
        assert other["id"] != first["id"]


@only_in_full
async def test_a_run_of_settings_that_were_changed_since_does_not_load(
    elsewhere: Elsewhere,
) -> None:
    await orders(elsewhere)
    ingest = elsewhere.ingest
    waiting = await run(ingest, "orders")
    answer = await call(ingest, "PATCH", "/api/feeds/orders", {"incremental": {"column": "number"}})
    assert answer.status_code == 200, answer.text
    async with ingest.working():
        failed = await ingest.finished(waiting)
        assert failed["error"]["code"] == "feed_outdated"
        assert (await ran(ingest))["cursor"]["up_to"] == "2"


async def test_an_import_from_a_saved_source_is_repeated(elsewhere: Elsewhere) -> None:
    feed = await orders(elsewhere)
    ingest = elsewhere.ingest
    origin = feed["from"]
    body = {"source_id": origin["source_id"], "table": '"public"."orders"', "into": "orders"}
    async with ingest.working():
        done = await ingest.finished(await elsewhere.submit(**body))
    answer = await call(ingest, "POST", "/api/feeds", {"name": "again", "like": done["id"]})
    assert answer.status_code == 201, answer.text
    assert answer.json()["from"] == {**origin, "table": '"public"."orders"'}


async def test_oracle_is_read_whole(elsewhere: Elsewhere) -> None:
    table = Table("ANN", "PEOPLE", (Column("NAME", types.varchar2(20)),), [("ann",)])
    elsewhere.put(table)
    ingest = elsewhere.ingest
    await ingest.peers.make_table("people", {"name": "text"})
    saved = await source(elsewhere, **elsewhere.oracle_source)
    origin = {"kind": "database", "source_id": saved, "table": "people"}
    await made(ingest, "orders", **{"from": origin})
    async with ingest.working():
        assert (await ran(ingest))["rows"]["loaded"] == 1


NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
MOMENTS: list[tuple[types.OracleType, list[Any], list[str], str]] = [
    (types.number_(9), [5, 7, 6], ["7", "9"], "2"),
    (types.number_(38, 2), [Decimal("-5.25"), Decimal("1.5"), 0], ["1.5", "3.5"], "0.75"),
    (types.number_(), [Decimal("1.5"), 2, 0], ["2", "4"], "0.75"),
    (types.DATE, [NOON.replace(tzinfo=None) + HOUR * n for n in range(3)],
     ["2026-01-01 14:00:00", "2026-01-01 16:00:00"], "PT30M"),
    (types.timestamp(6), [(NOON + HOUR * n / 7).replace(tzinfo=None) for n in range(3)],
     ["2026-01-01 12:17:08.571429", "2026-01-01 14:17:08.571429"], "PT30M"),
    (types.TIMESTAMP_TZ, [NOON + HOUR * n for n in range(3)],
     ["2026-01-01 14:00:00+00", "2026-01-01 16:00:00+00"], "P1DT1H"),
]  # fmt: skip


@only_in_full
@pytest.mark.parametrize("mode", ["upsert", "append"])
@pytest.mark.parametrize(
    ("kind", "values", "cursors", "lookback"), MOMENTS, ids=[str(row[0].spelled) for row in MOMENTS]
)
async def test_only_what_is_new_is_read_of_oracle(
    elsewhere: Elsewhere,
    mode: str,
    kind: types.OracleType,
    values: list[Any],
    cursors: list[str],
    lookback: str,
) -> None:
    rows = [(number, value) for number, value in enumerate(values)]
    columns = (Column("NUMBER", types.number_(9)), Column("CHANGED", kind))
    elsewhere.put(Table("ANN", "ORDERS", columns, lambda: list(rows)))
    ingest = elsewhere.ingest
    await ingest.peers.make_table("orders", {"number": "integer UNIQUE", "changed": "text"})
    saved = await source(elsewhere, **elsewhere.oracle_source)
    options = UPSERT if mode == "upsert" else {}
    incremental = {"column": "changed"} | ({"lookback": lookback} if mode == "upsert" else {})
    await made(
        ingest,
        "orders",
        table="orders",
        options=options,
        incremental=incremental,
        **{"from": {"kind": "database", "source_id": saved, "table": "orders"}},
    )
    highest = max(values)
    step = HOUR * 2 if isinstance(highest, dt.datetime) else 2
    async with ingest.working():
        done = await ran(ingest)
        assert (done["rows"]["read"], done["cursor"]["up_to"]) == (3, cursors[0])
        rows += [(3, highest + step), (4, None), (5, highest)]
        done = await ran(ingest)
        assert done["cursor"] == {
            "column": "changed", "after": cursors[0], "up_to": cursors[1], "nulls": 1
        }  # fmt: skip
        # An upsert reads the rows at the cursor again, an append misses what came late.
        expected = {0, 1, 2, 3} | ({5} if mode == "upsert" else set())
        assert set(await numbers(elsewhere)) == expected
        assert (await ran(ingest))["cursor"]["up_to"] == cursors[1]
    assert set(await numbers(elsewhere)) == expected


async def test_a_feed_of_oracle_goes_on_from_where_it_is_reset_to(elsewhere: Elsewhere) -> None:
    columns = (Column("NUMBER", types.number_(9)), Column("NAME", types.varchar2(9)))
    elsewhere.put(Table("ANN", "ORDERS", columns, [(number, "x") for number in range(5)]))
    ingest = elsewhere.ingest
    await ingest.peers.make_table("orders", {"number": "integer UNIQUE", "name": "text"})
    saved = await source(elsewhere, **elsewhere.oracle_source)
    origin = {"kind": "database", "source_id": saved, "query": "SELECT NUMBER, NAME FROM ORDERS"}
    incremental = {"column": "NUMBER", "start": "2"}
    given = {"table": "orders", "from": origin, "incremental": incremental}
    await made(ingest, "orders", **given)
    async with ingest.working():
        assert (await ran(ingest))["rows"]["read"] == 2
        await ingest.owner.execute("DELETE FROM data.orders")
        answer = await call(ingest, "POST", "/api/feeds/orders/reset", {"cursor": "-1"})
        assert answer.json()["cursor"] == "-1"
        assert (await ran(ingest))["rows"]["read"] == 5
    wrong = {"incremental": {"column": "name"}}
    answer = await call(ingest, "PATCH", "/api/feeds/orders", wrong)
    assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [
        ("incremental.column", "no_order")
    ]
