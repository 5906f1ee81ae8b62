"""Imports into tables with rules, composite keys, references and defaults that are called."""

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from services.ingest.domain.options import Mode
from services.ingest.errors import (
    ConstraintBrokenError,
    DefaultReferenceError,
    OptionError,
    StillReferencedError,
)
from tests.ingest.load.loading import Loader
from tests.ingest.load.ruled import Ruled


@pytest_asyncio.fixture
async def ruled(load: Loader) -> AsyncIterator[Ruled]:
    yield Ruled(load)
    await load.owner.execute("DELETE FROM records.tables")


def column(name: str, kind: str, **more: Any) -> dict[str, Any]:
    rules = {key: more.pop(key) for key in list(more) if key not in ("unique", "default")}
    return {"name": name, "type": kind, **more, **({"rules": rules} if rules else {})}


def to(table: str, key: str = "id", **more: str) -> dict[str, str]:
    return {"table": table, "column": key, **more}


UUIDS = "5F0C6D1E9A3B4C8D8E2F1A2B3C4D5E6F 5f0c6d1e-9a3b-4c8d-8e2f-1a2b3c4d5e60"
MOMENTS = "1999-12-31T23:59:59 2000-01-01T00:00:00 infinity -infinity"
INSTANTS = "2000-01-01T00:30:00+01:00 2000-01-01T00:00:00Z infinity -infinity"
NEW_YEAR = "2000-01-01T00:00:00Z"
LONG = "12345678901234567890"
JUDGED: list[tuple[str, dict[str, Any], str]] = [
    ("INTEGER", {"min": 0, "exclusive_max": 150}, "-1 0 149 150"),
    ("BIGINT", {"exclusive_min": 0, "max": 2**53 + 1}, f"0 1 {2**53 + 1} {2**53 + 2}"),
    ("SMALLINT", {"enum": [1, 2]}, "1 2 3"),
    ("NUMERIC(6,2)", {"exclusive_min": 0, "max": 10.5}, "0 0.01 10.50 10.51"),
    ("NUMERIC(6,2)", {"enum": [1, 2.5]}, "1.00 2.5 2.51"),
    ("NUMERIC", {"min": 0, "max": f"{LONG}.1"}, f"-0.1 0 {LONG}.1 {LONG}.2"),
    ("NUMERIC", {"enum": [1, 2.5]}, "1.000 2.5 3"),
    ("REAL", {"min": 0.1, "max": 5}, "0.09 0.1 5 5.1 NaN Infinity"),
    ("DOUBLE PRECISION", {"exclusive_min": 0.1}, "0.1 0.2 NaN -Infinity Infinity"),
    ("DOUBLE PRECISION", {"exclusive_max": "Infinity"}, "1 Infinity NaN"),
    (
        "DATE",
        {"min": "1900-01-01", "exclusive_max": "2000-01-01"},
        "1899-12-31 1900-01-01 1999-12-31 2000-01-01",
    ),
    ("TIME", {"exclusive_min": "08:00", "max": "17:30"}, "08:00 08:00:00.000001 17:30 17:30:01"),
    ("TIMESTAMP", {"min": "2000-01-01T00:00:00"}, MOMENTS),
    ("TIMESTAMP", {"max": "infinity", "exclusive_min": "-infinity"}, MOMENTS),
    ("TIMESTAMPTZ", {"exclusive_max": NEW_YEAR}, INSTANTS),
    ("TIMESTAMPTZ", {"exclusive_max": "infinity"}, INSTANTS),
    ("TIMESTAMPTZ", {"min": "infinity"}, INSTANTS),
    ("TIMESTAMPTZ", {"enum": [NEW_YEAR, "infinity"]}, INSTANTS),
    ("TEXT", {"min_length": 2, "max_length": 3}, "a ÄÖ 日本語 abcd"),
    ("TEXT", {"pattern": "(?i)^[a-z]+$"}, "ab AB a1 ä"),
    ("TEXT", {"enum": ["red", "green"]}, "red green Red"),
    ("VARCHAR(5)", {"pattern": r"\bx\b"}, "x x1 -x- xy"),
    ("CHAR(4)", {"min_length": 2}, "a ab abcd"),
    ("CHAR(4)", {"pattern": "^ab *$"}, "ab abcd a"),
    ("CHAR(4)", {"pattern": "b$"}, "ab abab"),
    ("CHAR(4)", {"enum": ["ab", "c"]}, "ab c d"),
    ("BOOLEAN", {"enum": [True]}, "true false"),
    ("UUID", {"enum": ["5f0c6d1e-9a3b-4c8d-8e2f-1a2b3c4d5e6f"]}, UUIDS),
    ("INTERVAL", {"enum": ["P1M", "PT24H"]}, "P30D P1D P2D"),
]
"""Cells, some of which PostgreSQL refuses."""
CODES = {
    "min": "below_min",
    "exclusive_min": "below_min",
    "max": "above_max",
    "exclusive_max": "above_max",
    "min_length": "too_short",
    "max_length": "too_long",
    "pattern": "pattern_mismatch",
    "enum": "not_in_enum",
}


@pytest.mark.parametrize(("kind", "rules", "cells"), JUDGED)
async def test_files_keep_and_lose_what_postgresql_does(
    ruled: Ruled, kind: str, rules: dict[str, Any], cells: str
) -> None:
    await ruled.make("t", column("v", kind, **rules))
    good: list[int] = []
    bad: list[int] = []
    for line, text in enumerate(cells.split(), 2):
        try:
            await ruled.loader.owner.execute(
                "INSERT INTO data.t (v) SELECT r.v FROM json_populate_record"
                "(NULL::data.t, json_build_object('v', $1::text)) r",
                text,
            )
            good.append(line)
        except asyncpg.CheckViolationError:
            bad.append(line)
    assert good
    assert bad
    await ruled.loader.owner.execute("DELETE FROM data.t")
    outcome = await ruled.load("t", "v\n" + "\n".join(cells.split()) + "\n")
    assert [line for line, _, _ in ruled.reasons] == bad
    assert outcome.rows.inserted == len(good)
    assert {code for _, _, code in ruled.reasons} <= {CODES[rule] for rule in rules}


async def test_every_broken_rule_of_a_row_is_named(ruled: Ruled) -> None:
    await ruled.make(
        "t",
        column("zip", "TEXT", pattern="^[0-9]{5}$", max_length=5),
        column("colour", "TEXT", enum=["red", "green", "blue"]),
        column("n", "INTEGER", min=1),
    )
    await ruled.load("t", "zip,colour,n\n10115,red,1\n1011511,gren,0\n,,7\n00501,blue,x\n")
    assert ruled.reasons == [
        (3, "zip", "too_long"),
        (3, "zip", "pattern_mismatch"),
        (3, "colour", "not_in_enum"),
        (3, "n", "below_min"),
        (5, "n", "type_mismatch"),
    ]
    assert "the nearest is 'green'" in ruled.messages[2]
    assert await ruled.rows("t", "zip, n") == [("10115", 1), (None, 7)]


async def test_a_composite_key_in_every_mode(ruled: Ruled) -> None:
    columns = [column("day", "DATE"), column("campaign", "TEXT"), column("clicks", "INTEGER")]
    await ruled.make("t", *columns, unique=[["day", "campaign"]])
    ads = "day,campaign,clicks\n2024-03-01,Brand,10\n2024-03-01,Generic,5\n2024-03-02,Brand,7\n"
    assert (await ruled.load("t", ads)).rows.inserted == 3
    again = ads + "2024-03-02,Brand,8\n2024-03-03,Brand,1\n"
    await ruled.load("t", again)
    assert ruled.reasons == [
        (2, "day, campaign", "duplicate_in_table"),
        (3, "day, campaign", "duplicate_in_table"),
        (4, "day, campaign", "duplicate_in_table"),
        (5, "day, campaign", "duplicate_in_table"),
    ]
    outcome = await ruled.load("t", again, mode=Mode.UPSERT, key=("campaign", "day"))
    assert (outcome.rows.inserted, outcome.rows.updated) == (0, 4)
    assert ruled.reasons[-1] == (5, "campaign, day", "duplicate_in_file")


async def test_an_upsert_without_the_key_names_the_call_that_makes_it(ruled: Ruled) -> None:
    await ruled.make("Ads 2024", column("day", "DATE"), column("campaign", "TEXT"))
    ads = "day,campaign\n2024-03-01,Brand\n"
    with pytest.raises(OptionError) as refused:
        await ruled.load("Ads 2024", ads, mode=Mode.UPSERT, key=("day", "campaign"))
    change = {"unique": {"add": [["day", "campaign"]]}}
    assert f"`PATCH /api/tables/Ads%202024` with `{json.dumps(change)}`" in str(refused.value)
    with pytest.raises(OptionError, match=r'"alter": \[\{"name": "day", "unique": true'):
        await ruled.load("Ads 2024", ads, mode=Mode.UPSERT, key=("day",))


COUNTRIES = "code\nDE\nFR\nNO\n"


async def countries(ruled: Ruled, **more: str) -> None:
    await ruled.make("country", column("code", "TEXT", unique=True))
    await ruled.load("country", COUNTRIES)
    await ruled.make(
        "city",
        column("name", "TEXT", unique=True),
        column("country", "TEXT", references=to("country", "code", **more)),
        column("people", "NUMERIC", min=0),
    )


@pytest.mark.parametrize("mode", [Mode.APPEND, Mode.REPLACE, Mode.UPSERT])
async def test_each_unknown_reference_is_named(ruled: Ruled, mode: Mode) -> None:
    await countries(ruled)
    key = ("name",) if mode is Mode.UPSERT else ()
    await ruled.load("city", "name,country,people\nOslo,NO,1\n", mode=mode, key=key)
    ruled.loader.rejects.kept.clear()
    text = (
        "name,country,people\nBerlin,DE,1\nRome,IT,2\nNowhere,,3\nParis,FR,-1\nMilan,IT,4\n"
        "Berlin,DE,5\nRome,FR,6\n"
    )
    outcome = await ruled.load("city", text, mode=mode, key=key)
    assert ruled.reasons == [
        (3, "country", "unknown_reference"),
        (5, "people", "below_min"),
        (6, "country", "unknown_reference"),
        (7, "name", "duplicate_in_file"),
    ]
    assert ruled.messages[0] == "the table 'country' has no record with the code 'IT'"
    assert outcome.rows.inserted == 3  # Rome's second row is loaded: its first was not
    assert {name for (name,) in await ruled.rows("city", "name")} >= {"Berlin", "Nowhere", "Rome"}


async def test_rows_may_reference_others_of_the_same_file(ruled: Ruled) -> None:
    await ruled.make(
        "staff",
        column("code", "TEXT", unique=True),
        column("boss", "TEXT", references=to("staff", "code")),
    )
    good = "code,boss\na,b\nb,b\nc,\n"
    assert (await ruled.load("staff", good)).rows.inserted == 3
    # e is refused, so d is, so f is; a is there, and g references what is.
    chain = "code,boss\nf,d\nd,e\ne,nobody\na,c\ng,a\n"
    await ruled.load("staff", chain)
    assert ruled.reasons == [
        (2, "boss", "unknown_reference"),
        (3, "boss", "unknown_reference"),
        (4, "boss", "unknown_reference"),
        (5, "code", "duplicate_in_table"),
    ]
    assert [code for (code,) in await ruled.rows("staff", "code")] == ["a", "b", "c", "g"]
    outcome = await ruled.load("staff", "code,boss\nx,y\ny,\nz,a\n", mode=Mode.REPLACE)
    assert outcome.rows.inserted == 2  # a went with the replace


@pytest.mark.parametrize("on_delete", ["restrict", "cascade", "set_null"])
async def test_a_replace_keeps_what_others_reference(ruled: Ruled, on_delete: str) -> None:
    await countries(ruled, on_delete=on_delete)
    assert (await ruled.load("country", COUNTRIES, mode=Mode.REPLACE)).rows.inserted == 3
    await ruled.load("city", "name,country\nOslo,NO\n")
    with pytest.raises(StillReferencedError):
        await ruled.load("country", COUNTRIES, mode=Mode.REPLACE)
    assert len(await ruled.rows("country")) == 3
    assert await ruled.rows("city", "country") == [("NO",)]


async def test_an_upsert_keeps_what_others_reference(ruled: Ruled) -> None:
    await countries(ruled)
    await ruled.load("city", "name,country\nOslo,NO\n")
    ((record_id,),) = await ruled.loader.owner.fetch(
        "SELECT id FROM data.country WHERE code = 'NO'"
    )
    with pytest.raises(StillReferencedError):
        await ruled.load("country", f"id,code\n{record_id},NW\n", mode=Mode.UPSERT, key=("id",))


async def test_a_default_that_references_nothing(ruled: Ruled) -> None:
    await ruled.make("country", column("code", "TEXT", unique=True))
    await ruled.make(
        "city",
        column("name", "TEXT"),
        column("country", "TEXT", default="DE", references=to("country", "code")),
    )
    with pytest.raises(DefaultReferenceError, match="DE"):
        await ruled.load("city", "name\nBerlin\n")


async def test_a_constraint_that_is_no_rule(ruled: Ruled) -> None:
    await ruled.make("t", column("a", "INTEGER"), column("b", "INTEGER", min=0))
    await ruled.loader.owner.execute("ALTER TABLE data.t ADD CONSTRAINT by_hand CHECK (a < b)")
    assert (await ruled.load("t", "a,b\n1,2\n")).rows.inserted == 1
    with pytest.raises(ConstraintBrokenError, match="by_hand"):
        await ruled.load("t", "a,b\n2,1\n")


async def test_defaults_are_called_for_each_import(ruled: Ruled) -> None:
    await ruled.make(
        "t",
        column("n", "INTEGER"),
        column("who", "TEXT", default={"call": "user"}),
        column("key", "UUID", default={"call": "uuid"}, unique=True),
        column("day", "DATE", default={"call": "today"}),
    )
    await ruled.load("t", "n\n1\n2\n")
    assert await ruled.rows("t", "who, day = (now() AT TIME ZONE 'UTC')::date") == [
        ("ann@example.com", True), ("ann@example.com", True),
    ]  # fmt: skip
