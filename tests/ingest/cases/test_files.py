"""Files as people's programs write them, and what must come of each."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from services.ingest.domain.options import (
    ImportOptions,
    Mode,
    Numbers,
    OnDuplicate,
)
from services.ingest.domain.outcome import Outcome
from services.ingest.errors import NoRowFitsError, NothingToReplaceWithError, OptionError
from services.ingest.read.errors import (
    EncodingContradictedError,
    HeaderDoubtfulError,
    NestedArchiveError,
)
from tests.ingest.load.loading import Loader, columns

FILES = Path(__file__).parent / "files"
CREATE = ImportOptions(create_table=True)
REPLACE = ImportOptions(mode=Mode.REPLACE)


async def import_(
    load: Loader, name: str, options: ImportOptions | None = None, table: str = "t"
) -> Outcome:
    data = (FILES / name).read_bytes()
    return await load.load(table, data, file_name=name, options=options)


async def made(load: Loader, name: str, **options: Any) -> dict[str, str]:
    """The columns and types of a table made for a file."""
    outcome = await import_(load, name, replace(CREATE, **options))
    return {column.column: column.type for column in outcome.inferred}


async def cells(load: Loader, names: str = "*") -> list[tuple[Any, ...]]:
    return await load.rows("t", names)


@pytest.mark.parametrize("dry_run", [False, True])
async def test_a_replace_of_bad_rows(load: Loader, *, dry_run: bool) -> None:
    await load.make_table("t", columns(sku="TEXT", price="NUMERIC(10,2)"))
    await import_(load, "prices.csv")
    with pytest.raises(NoRowFitsError):
        await import_(load, "prices_bad.csv", replace(REPLACE, dry_run=dry_run))
    assert await cells(load, "sku") == [("A",), ("B",)]
    assert len(load.rejects.rows) == 2


async def test_a_replace_by_a_header_alone(load: Loader) -> None:
    await load.make_table("t", columns(sku="TEXT", price="NUMERIC(10,2)"))
    await import_(load, "prices.csv")
    with pytest.raises(NothingToReplaceWithError):
        await import_(load, "header_only.csv", REPLACE)
    assert len(await cells(load)) == 2
    await import_(load, "header_only.csv", replace(REPLACE, allow_empty=True))
    assert await cells(load) == []


async def test_a_header_that_is_too_short(load: Loader) -> None:
    with pytest.raises(NoRowFitsError):
        await import_(load, "header_short.csv", CREATE)


async def test_keys_that_are_missing(load: Loader) -> None:
    await load.make_table("t", columns(email="TEXT UNIQUE", first="TEXT", phone="TEXT"))
    await import_(load, "contacts.csv")
    await import_(load, "missing_keys.json", ImportOptions(mode=Mode.UPSERT, key=("email",)))
    assert sorted(await cells(load, "first, phone")) == [("Ann", "+499"), ("Robert", "+492")]


async def test_columns_that_begin_with_an_underscore(load: Loader) -> None:
    assert list(await made(load, "kobo_export.csv")) == [
        "start", "village", "members", "source_id", "uuid", "submission_time", "index",
    ]  # fmt: skip


async def test_a_stray_quote(load: Loader) -> None:
    await made(load, "employees_nickname.csv")
    assert load.rejects.reasons == [(2, None, "stray_quote")]
    assert load.rejects.rows[0]["_raw"] == '"1","JOHN "DUKE"","Sales"'
    assert await cells(load, "name") == [("ANN O",)]


async def test_quotes_that_only_confuse(load: Loader) -> None:
    outcome = await import_(load, "imdb_merged.tsv", CREATE)
    assert outcome.format is not None
    assert outcome.format.quote is None
    assert await cells(load, "title") == [('"Alpha',), ('Omega"',), ("C",)]


@pytest.mark.parametrize(
    ("name", "column", "values"),
    [
        ("norway.csv", "country", ["NO", "NO"]),
        ("model_codes.csv", "code", ["3E1", "7E0", "15E2"]),
        ("mmss.csv", "split", ["03:45", "04:10"]),
        ("excel_formula_text.csv", "zip", ["00501", "10001"]),
        (
            "iccid_one_excel_cell.csv",
            "iccid",
            ["89652900000000012345", "89652900000000067891", "8.96529E+19"],
        ),
    ],
)
async def test_text_stays_text(load: Loader, name: str, column: str, values: list[str]) -> None:
    assert (await made(load, name))[column] == "TEXT"
    assert [row[0] for row in await cells(load, column)] == values


async def test_a_report_goes_back_in_with_the_same_options(load: Loader) -> None:
    await load.make_table("t", columns(name="TEXT", born="DATE", amount="NUMERIC(10,2)"))
    options = ImportOptions(delimiter=";", encoding="windows-1252", date_format="%d.%m.%Y")
    await import_(load, "bank_cp1252.csv", options)
    assert [line for line, *_ in load.rejects.reasons] == [2]
    await import_(load, "corrected_rejects.csv", options)
    assert await cells(load, "name, born::text, amount") == [
        ("Jörg", "1990-01-31", Decimal("7.00")), ("Zoë", "1990-02-28", Decimal("5.00")),
    ]  # fmt: skip


async def test_one_line_that_is_not_utf8(load: Loader) -> None:
    outcome = await import_(load, "mostly_utf8_one_latin1.csv", CREATE)
    assert (outcome.rows.loaded, load.rejects.reasons) == (3, [(4, None, "bad_encoding")])
    with pytest.raises(EncodingContradictedError):
        await load.load("u", "a\nZoë\n", options=replace(CREATE, encoding="windows-1252"))


async def test_delimiters(load: Loader) -> None:
    for name, delimiter, width in (
        ("price_decimal.csv", ";", 2), ("name_vorname.csv", ";", 2), ("double_pipe.csv", "||", 3),
    ):  # fmt: skip
        outcome = await import_(load, name, CREATE, table=name.removesuffix(".csv"))
        assert outcome.format is not None
        assert (outcome.format.delimiter, len(outcome.inferred)) == (delimiter, width)
        assert outcome.rows.rejected == 0


async def test_headers(load: Loader) -> None:
    with pytest.raises(HeaderDoubtfulError):
        await import_(load, "headerless_states.csv", CREATE)
    bare = await import_(load, "headerless_states.csv", replace(CREATE, header_line="none"))
    assert [column.column for column in bare.inferred] == ["column_1", "column_2", "column_3"]
    assert bare.rows.loaded == 3
    twice = await import_(load, "jira.csv", CREATE, table="jira")
    assert [column.column for column in twice.inferred] == [
        "Issue_key", "Summary", "Labels", "Labels_2", "Sprint", "Sprint_2",
    ]  # fmt: skip
    index = await import_(load, "pandas_index.csv", CREATE, table="beds")
    assert [column.column for column in index.inferred] == ["column_1", "plant", "bed"]
    dropped = replace(CREATE, mapping={"#1": None})
    index = await import_(load, "pandas_index.csv", dropped, table="beds_2")
    assert [column.column for column in index.inferred] == ["plant", "bed"]


async def test_the_second_load_goes_in_as_the_first_did(load: Loader) -> None:
    await import_(load, "monthly.csv", CREATE)
    outcome = await import_(load, "monthly.csv")
    assert (outcome.rows.loaded, len(await cells(load))) == (1, 2)
    assert {(note.column, note.source) for note in outcome.inferred} == {
        ("Order_No", "Order No"),
        ("Net_price__EUR", "Net price (EUR)"),
        ("Kunde_Customer", "Kunde/Customer"),
        ("c2024_total", "2024 total"),
    }


async def test_rows_that_are_no_records(load: Loader) -> None:
    blank = await import_(load, "empty_rows_plain.csv", CREATE)
    assert blank.format is not None
    assert (blank.rows.read, blank.rows.loaded, blank.format.blank_rows) == (2, 2, 3)
    joined = await import_(load, "cat_exports.csv", CREATE, table="joined")
    assert joined.format is not None
    assert (joined.rows.loaded, joined.format.repeated_headers) == (3, 1)
    assert {c.column: c.type for c in joined.inferred}["day"] == "DATE"
    footer = await import_(load, "ads_total.csv", replace(CREATE, footer_lines=1), table="ads")
    assert footer.rows.loaded == 2
    assert {c.column: c.type for c in footer.inferred}["Day"] == "DATE"
    short = await import_(load, "cut_tabs.tsv", replace(CREATE, fill_short=True), table="cut")
    assert short.rows.loaded == 3
    await import_(load, "cut_tabs.tsv", table="cut")
    assert "fill_short" in load.rejects.kept[0].message


async def test_keys(load: Loader) -> None:
    await load.make_table("t", columns(day="DATE", campaign="TEXT", clicks="INTEGER"))
    await load.owner.execute("ALTER TABLE data.t ADD UNIQUE (day, campaign)")
    by_both = ImportOptions(mode=Mode.UPSERT, key=("day", "campaign"))
    assert (await import_(load, "ads_daily.csv", by_both)).rows.inserted == 3
    assert (await import_(load, "ads_daily.csv", by_both)).rows.updated == 3
    await load.make_table("stock", columns(sku="TEXT UNIQUE", stock="INTEGER"))
    last = ImportOptions(mode=Mode.UPSERT, key=("sku",), on_duplicate=OnDuplicate.LAST)
    await import_(load, "changelog.csv", last, table="stock")
    assert sorted(await load.rows("stock", "sku, stock")) == [("A", 9), ("B", 1)]


async def test_dates(load: Loader) -> None:
    await load.make_table("t", columns(name="TEXT", born="DATE"))
    short = ImportOptions(date_format="%d/%m/%y")
    with pytest.raises(OptionError, match="century_from"):
        await import_(load, "birthdays_yy.csv", short)
    await import_(load, "birthdays_yy.csv", replace(short, century_from=1930))
    assert await cells(load, "extract(year FROM born)::int") == [(1957,), (1945,), (2020,), (1969,)]
    await import_(load, "sqlserver_midnight.csv")
    assert (await cells(load, "born::text"))[4:] == [("1990-01-31",), ("1991-02-01",)]
    await load.make_table("u", columns(ts="TIMESTAMPTZ"))
    load.rejects.kept.clear()
    outcome = await import_(load, "offsets.csv", table="u")
    assert (outcome.rows.loaded, outcome.rows.rejected) == (5, 2)
    assert "epoch_s" in load.rejects.kept[0].message
    assert "epoch_ms" in load.rejects.kept[1].message


async def test_numbers(load: Loader) -> None:
    await load.make_table("t", columns(user_id="INTEGER", score="INTEGER"))
    await import_(load, "pandas_floats.csv")
    assert await cells(load, "user_id") == [(3,), (None,), (2,)]
    lenient = replace(CREATE, numbers=Numbers.LENIENT)
    await import_(load, "sap_trailing_minus.csv", lenient, table="sap")
    assert [row[0] for row in await load.rows("sap", "amount")] == [
        Decimal("-12.50"), Decimal("3.00"),
    ]  # fmt: skip


async def test_an_archive_in_an_archive(load: Loader) -> None:
    with pytest.raises(NestedArchiveError):
        await import_(load, "gzip_in_gzip.csv.gz", CREATE)
