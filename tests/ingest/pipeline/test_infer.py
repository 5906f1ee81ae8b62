"""`create_table`: the narrowest type that every cell fits, and why no narrower one."""

from dataclasses import replace

import pytest

from services.ingest.domain import ImportOptions
from services.ingest.errors import DuplicateColumnError, TooManyColumnsError
from tests.ingest.pipeline.loading import Loader

CREATE = ImportOptions(create_table=True)


async def test_types_and_their_evidence(load: Loader) -> None:
    data = (
        "flag,n,big,amount,ratio,zip,phone,day,seen at,zoned,clock,uid,empty,name\n"
        "yes,1,1,1.50,1e3,501,1,2024-01-01,2024-01-01,2024-01-01 10:00,10:00,"
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8,,x\n"
        "F,-7,3000000000,2,NaN,00501,+49,2024-02-29,2024-01-01T10:00:01,2024-01-01 10:00+02,"
        "10:00:01,6ba7b810-9dad-11d1-80b4-00c04fd430c8,,5\n"
    )
    outcome = await load.load("t", data, options=CREATE)
    found = {column.column: (column.type, column.because) for column in outcome.inferred}
    assert found == {
        "flag": ("BOOLEAN", "all 2 values fit"),
        "n": ("INTEGER", "all 2 values fit"),
        "big": ("BIGINT", "line 3: '3000000000' is too large for INTEGER"),
        "amount": ("NUMERIC", "line 2: '1.50' is not a whole number"),
        "ratio": ("DOUBLE PRECISION", "line 2: '1e3' is written with an exponent"),
        "zip": ("TEXT", "line 3: '00501' has a leading zero"),
        "phone": ("TEXT", "line 3: '+49' has a plus sign"),
        "day": ("DATE", "all 2 values fit"),
        "seen_at": ("TIMESTAMP", "line 3: '2024-01-01T10:00:01' is not a date"),
        "zoned": ("TIMESTAMPTZ", "line 3: '2024-01-01 10:00+02' is not a timestamp"),
        "clock": ("TIME", "all 2 values fit"),
        "uid": ("UUID", "all 2 values fit"),
        "empty": ("TEXT", "no row has a value"),
        "name": ("TEXT", "line 2: 'x' is no number, date, time, UUID or truth value"),
    }
    assert outcome.rows.loaded == 2
    descriptions = {column.name: column.description for column in load.made}
    assert descriptions["seen_at"] == "'seen at' in the file"
    assert descriptions["zip"] is None
    assert await load.rows("t", "zip, amount::text") == [("501", "1.50"), ("00501", "2")]


async def test_a_leading_zero_is_named_even_where_nothing_else_fits_either(load: Loader) -> None:
    outcome = await load.load("t", "zip\n00501\n10001\n", options=CREATE)
    assert outcome.inferred[0].because == "line 2: '00501' has a leading zero"


async def test_the_last_row_decides_too(load: Loader) -> None:
    data = "a\n" + "1\n" * 900_000 + "x\n"
    outcome = await load.load("t", data, options=CREATE)
    assert outcome.inferred[0].type == "TEXT"
    assert outcome.inferred[0].because == "line 900002: 'x' is not a whole number"
    assert outcome.rows.loaded == 900_001


async def test_names_are_folded_and_collisions_numbered(load: Loader) -> None:
    outcome = await load.load("t", "id,2020 Umsatz (€),größe\n1,2,3\n", options=CREATE)
    assert [column.column for column in outcome.inferred] == ["source_id", "c2020_Umsatz", "größe"]
    outcome = await load.load("u", "a b,a-b,,a_b\n1,2,3,4\n", options=CREATE)
    assert [column.column for column in outcome.inferred] == ["a_b", "a_b_2", "column_3", "a_b_3"]
    mapping = {"a b": "x", "a-b": "x"}
    with pytest.raises(DuplicateColumnError):
        await load.load("v", "a b,a-b\n1,2\n", options=replace(CREATE, mapping=mapping))


async def test_null_values_and_bad_rows_do_not_count(load: Loader) -> None:
    options = ImportOptions(create_table=True, null_values=("NA",))
    outcome = await load.load("t", "a,b\n1,x\nNA,y\nz\n", options=options)
    assert outcome.inferred[0].type == "INTEGER"
    assert (outcome.rows.loaded, outcome.rows.rejected) == (2, 1)


async def test_json_types_come_first(load: Loader) -> None:
    data = (
        '[{"n": 1, "s": "2", "d": "2024-01-01", "b": true, "j": null}, {"j": {"a": 1}, "late": 1}]'
    )
    outcome = await load.load("t", data, options=CREATE)
    assert {column.column: column.type for column in outcome.inferred} == {
        "n": "INTEGER", "s": "TEXT", "d": "DATE", "b": "BOOLEAN", "j": "JSON", "late": "INTEGER",
    }  # fmt: skip
    assert await load.rows("t", "n, s, b, j::text, late") == [
        (1, "2", True, None, None),
        (None, None, None, '{"a": 1}', 1),
    ]


async def test_a_dry_run_makes_no_table(load: Loader) -> None:
    options = ImportOptions(create_table=True, dry_run=True)
    outcome = await load.load("t", "a,b\n1,2\n3\n", options=options)
    assert load.made == []
    assert (outcome.rows.inserted, outcome.rows.rejected) == (1, 1)
    assert [column.type for column in outcome.inferred] == ["INTEGER", "INTEGER"]


async def test_more_columns_than_a_table_can_have(load: Loader) -> None:
    for count in (1_599, 1_601):
        with pytest.raises(TooManyColumnsError):
            await load.load("t", ",".join(f"c{n}" for n in range(count)) + "\n", options=CREATE)
