"""`on_new_column=add`: the table gets the columns that a file has more, typed by its rows."""

import io
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.ingest.domain.options import ImportOptions, Mode, OnNewColumn
from services.ingest.domain.outcome import Outcome
from services.ingest.errors import UnknownColumnError
from tests.ingest.load.loading import Loader, columns
from tests.support.profile import only_in_full

ADD = ImportOptions(on_new_column=OnNewColumn.ADD)


def added(outcome: Outcome) -> dict[str, str]:
    return {note.column: note.type for note in outcome.inferred if "added to" in note.because}


async def test_new_columns_get_the_type_of_their_cells(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER", A_b="TEXT"))
    data = "a,A b,n,day,,A_b,text\n1,x,1.50,31.12.2024,7,kept,NA\n2,y,NA,01.02.2024,8,kept,y\n"
    outcome = await load.load("t", data, options=ADD)
    assert added(outcome) == {
        "A_b_2": "TEXT",
        "n": "NUMERIC",
        "day": "DATE",
        "column_5": "INTEGER",
        "text": "TEXT",
    }
    assert {note.source for note in outcome.inferred} == {"A b", None, "#5"}
    names = 'a, "A_b", "A_b_2", n::text, day::text, column_5, text'
    assert await load.rows("t", names) == [
        (1, "kept", "x", "1.50", "2024-12-31", 7, "NA"),
        (2, "kept", "y", None, "2024-02-01", 8, "y"),
    ]
    again = await load.load("t", data.replace("31.12.2024", "2024-12-31"), options=ADD)
    assert not added(again)
    assert (again.rows.loaded, again.rows.rejected) == (1, 1)


async def test_rows_that_were_there_have_nothing_in_them(load: Loader) -> None:
    await load.load("t", "k,v\n1,a\n", options=ImportOptions(create_table=True))
    await load.owner.execute("ALTER TABLE data.t ADD UNIQUE (k)")
    options = replace(ADD, mode=Mode.UPSERT, key=("k",), types={"w": "BIGINT"})
    outcome = await load.load("t", "k,w\n2,5\n", options=options)
    assert added(outcome) == {"w": "BIGINT"}
    assert await load.rows("t", "k, v, w") == [(1, "a", None), (2, None, 5)]


async def test_a_dry_run_says_what_would_be_added_and_adds_nothing(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER"))
    outcome = await load.load("t", "a,b\n1,2\n", options=replace(ADD, dry_run=True))
    assert [(note.column, note.type) for note in outcome.inferred] == [("b", "INTEGER")]
    assert "would be added" in outcome.inferred[0].because
    assert (outcome.rows.inserted, load.rehearsal.written) == (1, b"")
    assert [str(column.name) for column in (await load.contract("t")).columns] == ["a"]


@only_in_full
async def test_keys_of_json_that_come_late_are_added_too(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER"))
    data = '{"a": 1}\n' * 100_000 + '{"a": 2, "late": {"k": 1}, "n": 1}\n{"a": 3, "n": 2.5}\n'
    outcome = await load.load("t", data, file_name="a.ndjson", options=ADD)
    assert added(outcome) == {"late": "JSON", "n": "NUMERIC"}
    assert (outcome.rows.loaded, outcome.rows.rejected) == (100_002, 0)
    assert (await load.rows("t", "late, n::text"))[-2:] == [('{"k": 1}', "1"), (None, "2.5")]


async def test_typed_columns_bring_their_types(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER"))
    file = io.BytesIO()
    day = pa.array([20_000], pa.int32()).cast(pa.date32())
    pq.write_table(pa.table({"a": [1], "d": day, "x": pa.array([1], pa.int16())}), file)
    outcome = await load.load("t", file.getvalue(), file_name="a.parquet", options=ADD)
    assert added(outcome) == {"d": "DATE", "x": "SMALLINT"}
    assert await load.rows("t", "a, d::text, x") == [(1, "2024-10-04", 1)]


async def test_a_file_of_which_no_column_fits_is_refused(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER"))
    with pytest.raises(UnknownColumnError):
        await load.load("t", "b,c\n1,2\n", options=ADD)
    assert len((await load.contract("t")).columns) == 1
