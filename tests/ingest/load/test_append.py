"""Appending CSV files: what lands, and what is refused for which reason."""

import pytest

from services.ingest.domain.options import ImportOptions, OnError
from services.ingest.domain.outcome import RowCounts
from services.ingest.errors import ImportFailedError, RowRefusedError, TooManyErrorsError
from tests.ingest.load.loading import IMPORT_ID, Loader, columns


async def test_rows_land_with_ids_and_the_import_they_came_from(load: Loader) -> None:
    await load.make_table("people", columns(name="TEXT", age="INTEGER"))
    outcome = await load.load("people", 'name,age\nAnn,31\n"Bob, jr.",\n"",7\n')
    assert outcome.rows.loaded == 3
    assert await load.rows("people", "id, _import, name, age") == [
        (1, IMPORT_ID, "Ann", 31),
        (2, IMPORT_ID, "Bob, jr.", None),
        (3, IMPORT_ID, "", 7),
    ]
    assert outcome.rows == RowCounts(read=3, loaded=3, rejected=0, inserted=3, updated=0)
    assert load.fenced == [outcome]


async def test_a_bad_row_is_refused_with_its_line_and_all_its_reasons(load: Loader) -> None:
    await load.make_table("people", columns(name="TEXT NOT NULL", age="INTEGER", born="DATE"))
    data = (
        'name,age,born\nAnn,31,2000-01-01\n"two\nlines",x,2000-02-30\n,5,\nDan,6,\nEve,7,8,9\nFay\n'
    )
    outcome = await load.load("people", data)
    assert [row[0] for row in await load.rows("people", "name")] == ["Ann", "Dan"]
    assert load.rejects.reasons == [
        (3, "age", "type_mismatch"),
        (3, "born", "out_of_range"),
        (5, "name", "not_null"),
        (7, None, "too_many_fields"),
        (8, None, "too_few_fields"),
    ]
    assert outcome.rows == RowCounts(read=6, loaded=2, rejected=4, inserted=2)
    first, *_, last = load.rejects.rows
    assert first["name"] == "two\nlines"
    assert (first["_line"], first["_column"]) == ("3", "age; born")
    assert (last["_raw"], last["_code"], last["name"]) == ("Fay", "too_few_fields", "")


async def test_on_error_abort_loads_nothing(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER"))
    with pytest.raises(RowRefusedError, match="line 3"):
        await load.load("t", "a\n1\nx\n", options=ImportOptions(on_error=OnError.ABORT))
    assert await load.rows("t") == []
    assert load.fenced == []


async def test_more_errors_than_allowed_end_the_import(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER"))
    with pytest.raises(TooManyErrorsError):
        await load.load("t", "a\nx\ny\n3\n", options=ImportOptions(max_errors=1))
    outcome = await load.load("t", "a\nx\ny\n3\n", options=ImportOptions(max_errors=2))
    assert outcome.rows.rejected == 2
    assert await load.rows("t", "a") == [(3,)]


@pytest.mark.parametrize(
    "options", [ImportOptions(max_errors=9), ImportOptions(on_error=OnError.ABORT)]
)
async def test_a_failed_import_has_told_how_many_rows_it_refused(
    load: Loader, options: ImportOptions
) -> None:
    await load.make_table("t", columns(a="INTEGER"))
    with pytest.raises(ImportFailedError):
        await load.load("t", "a\n1\n" + "x\n" * 1_500, options=options)
    told = load.progress[-1]
    assert (told.rows_read, told.rows_rejected) == (1_501, 1_500)


async def test_a_header_alone_is_a_success_without_rows(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER"))
    assert (await load.load("t", "a\n")).rows == RowCounts()
    assert (await load.load("t", "a")).rows == RowCounts()
