"""Options that say how cells are written, loaded, and told back in the import's format."""

from decimal import Decimal

import pytest

from services.ingest.domain.options import ImportOptions, Numbers
from services.ingest.domain.outcome import FormatFound
from services.ingest.errors import OptionError
from services.ingest.load.look import look_at
from services.ingest.read.formats import opened
from services.ingest.read.limits import Limits
from shared.values.names import of_api
from tests.ingest.load.loading import Loader, StoredBytes, columns


async def test_numbers_with_a_decimal_comma(load: Loader) -> None:
    await load.make_table("comma", columns(a="NUMERIC(10,2)", b="DOUBLE PRECISION", c="INTEGER"))
    outcome = await load.load(
        "comma",
        "a;b;c\n1.234,50;0,5;1.000\n12,5;-1e3;7\n1.5;x;1,0\n",
        options=ImportOptions(delimiter=";", decimal=",", thousands="."),
    )
    assert await load.rows("comma", "a, b, c") == [
        (Decimal("1234.50"), 0.5, 1000), (Decimal("12.50"), -1000.0, 7),
    ]  # fmt: skip
    assert load.rejects.reasons == [(4, "a", "type_mismatch"), (4, "b", "type_mismatch")]
    assert isinstance(outcome.format, FormatFound)
    assert (outcome.format.decimal, outcome.format.thousands) == (",", ".")
    assert outcome.format.numbers is Numbers.PLAIN


async def test_lenient_numbers(load: Loader) -> None:
    await load.make_table("lenient", columns(a="NUMERIC(10,2)", b="REAL"))
    data = 'a,b\n"$1,234.50",12%\n(12.50),5 €\n3.00-,\u2212 5\n'
    outcome = await load.load("lenient", data, options=ImportOptions(numbers=Numbers.LENIENT))
    assert [tuple(map(str, row)) for row in await load.rows("lenient", "a, b::text")] == [
        ("1234.50", "0.12"), ("-12.50", "5"),
    ]  # fmt: skip
    assert load.rejects.reasons == [(4, "b", "type_mismatch")]
    assert outcome.format is not None
    assert outcome.format.numbers is Numbers.LENIENT


async def test_dates_in_several_formats(load: Loader) -> None:
    await load.make_table("dates", columns(a="DATE", b="TIMESTAMPTZ"))
    data = (
        "a,b\n31.12.2024,12/31/2024 11:59 PM\n2024-01-05,1/2/2024 9:05 +02\n"
        "5/1/2024,1.2.2024\nNA,?\n31.11.2024,?\n"
    )
    options = ImportOptions(date_format="%d.%m.%Y|%m/%d/%Y", null_values=("NA", "?"))
    outcome = await load.load("dates", data, options=options)
    assert await load.rows("dates", "a::text, b::text") == [
        ("2024-12-31", "2024-12-31 23:59:00+00"),
        ("2024-01-05", "2024-01-02 07:05:00+00"),
        ("2024-05-01", "2024-02-01 00:00:00+00"),
        (None, None),
    ]
    assert load.rejects.reasons == [(6, "a", "out_of_range")]
    assert outcome.format is not None
    assert outcome.format.date_formats == ("%d.%m.%Y", "%m/%d/%Y")
    assert outcome.format.null_values == ("NA", "?")


async def test_a_date_that_is_two_days_is_refused(load: Loader) -> None:
    await load.make_table("two", columns(a="DATE"))
    options = ImportOptions(date_format="%d/%m/%Y|%m/%d/%Y")
    await load.load("two", "a\n13/01/2024\n01/02/2024\n01/01/2024\n", options=options)
    assert await load.rows("two", "a::text") == [("2024-01-13",), ("2024-01-01",)]
    assert load.rejects.reasons == [(3, "a", "type_mismatch")]
    assert "date_format" in load.rejects.kept[0].message


@pytest.mark.parametrize("count", [1, 100])
async def test_seconds_and_milliseconds_since_1970(load: Loader, count: int) -> None:
    for unit, first, second in (("s", "1700000000", "0.5"), ("ms", "1700000000000", "500")):
        table = f"epoch{unit}{count}"
        await load.make_table(table, columns(a="TIMESTAMPTZ", b="TIMESTAMP"))
        await load.load(
            table,
            "a,b\n" + f"{first},{second}\n" * count + "2024-01-05T10:11Z,x\n",
            options=ImportOptions(date_format=f"epoch_{unit}"),
        )
        assert await load.rows(table, "a::text, b::text") == count * [
            ("2023-11-14 22:13:20+00", "1970-01-01 00:00:00.5")
        ]
        assert load.rejects.reasons[-1] == (count + 2, "b", "type_mismatch")


async def test_two_digit_years(load: Loader) -> None:
    await load.make_table("years", columns(born="DATE"))
    data = "born\n28/02/93\n01/01/29\n"
    options = ImportOptions(date_format="%d/%m/%y")
    with pytest.raises(OptionError, match="century_from"):
        await load.load("years", data, options=options)
    await load.load("years", data, options=ImportOptions(date_format="%d/%m/%y", century_from=1930))
    assert await load.rows("years", "born::text") == [("1993-02-28",), ("2029-01-01",)]


async def test_a_value_decides_for_the_comma_where_semicolons_part_cells(load: Loader) -> None:
    await load.make_table("t", columns(a="NUMERIC(10,2)", b="INTEGER", c="NUMERIC", d="TEXT"))
    filler = "1.234;1;1.5;1,5\n" * 2000
    data = f"a;b;c;d\n{filler}1.234,50;2;2.25;2,5\nx;3;1;3\n"
    outcome = await load.load("t", data, limits=Limits(block_bytes=4096))
    rows = await load.rows("t", "a::text, b, c::text, d")
    assert rows[0] == ("1234.00", 1, "1.5", "1,5")
    assert rows[-1] == ("1234.50", 2, "2.25", "2,5")
    assert load.rejects.reasons == [(2003, "a", "type_mismatch")]
    assert outcome.rows.loaded == 2001
    assert outcome.format is not None
    assert outcome.format.decimal is None  # b and c have a point


@pytest.mark.parametrize("fraction", ["0.123", ".5", "-0.500", "00.125"])
async def test_no_group_begins_with_a_zero(load: Loader, fraction: str) -> None:
    await load.make_table("t", columns(a="NUMERIC", b="NUMERIC"))
    await load.load("t", f"a;b\n12,50;7\n1.234,5;{fraction}\n")
    assert await load.rows("t", "a, b") == [
        (Decimal("12.50"), Decimal(7)),
        (Decimal("1234.5"), Decimal(fraction)),
    ]


async def test_points_that_may_part_groups_are_told(load: Loader) -> None:
    await load.make_table("t", columns(a="NUMERIC", b="INTEGER", c="NUMERIC", d="TEXT"))
    data = "a;b;c;d\n7;3.000;1.234;1.234\n2.000;4;1.2345;x\n"
    outcome = await load.load("t", data, limits=Limits(block_bytes=16))
    assert await load.rows("t", "a, b") == [(Decimal(7), 3), (Decimal(2), 4)]
    reading = "is read by the point; `decimal=, thousands=.` reads it as"
    assert [(each.column, each.type, each.because) for each in outcome.inferred] == [
        ("a", "NUMERIC", f"line 3: '2.000' {reading} 2000"),
        ("b", "INTEGER", f"line 2: '3.000' {reading} 3000"),
    ]
    for text, options in (
        (data, ImportOptions(decimal=".")),
        (data.replace(";", ","), ImportOptions()),
        (data.replace("2.000", "2.0").replace("3.000", "3"), ImportOptions()),
    ):
        assert (await load.load("t", text, options=options)).inferred == ()


async def test_values_that_prove_either_decide_nothing(load: Loader) -> None:
    await load.make_table("t", columns(a="NUMERIC"))
    outcome = await load.load(
        "t", "a;b\n1,50;\n1.25;\n1.234;\n", options=ImportOptions(mapping={"b": None})
    )
    assert await load.rows("t", "a::text") == [("1.25",), ("1.234",)]
    assert load.rejects.reasons == [(2, "a", "type_mismatch")]
    assert "`decimal=,` reads it as 1.50" in load.rejects.kept[0].message
    assert outcome.format is not None
    assert outcome.format.decimal == "."


async def test_nothing_is_decided_for_other_delimiters_or_named_options(load: Loader) -> None:
    await load.make_table("t", columns(a="NUMERIC", b="TEXT"))
    for data, options in (
        ('a,b\n"1,50",\n2,\n', ImportOptions()),
        ("a;b\n1,50;\n2;\n", ImportOptions(decimal=".")),
    ):
        await load.rejects.restart()
        await load.load("t", data, options=options)
        assert load.rejects.reasons == [(2, "a", "type_mismatch")]


async def test_numbers_of_json_stand_beside_texts_with_a_comma(load: Loader) -> None:
    await load.make_table("t", columns(a="NUMERIC"))
    data = '[{"a": 1.5}, {"a": "12,50"}, {"a": 7}, {"a": "1.234,5"}, {"a": "1.234"}, {"a": 1e3}]'
    await load.load("t", data, options=ImportOptions(decimal=",", thousands="."))
    assert await load.rows("t", "a::text") == [("1.5",), ("12.50",), ("7",), ("1234.5",), ("1000",)]
    assert load.rejects.reasons == [(5, "a", "type_mismatch")]


async def test_a_look_decides_as_the_import_does(load: Loader) -> None:
    await load.make_table("t", columns(a="NUMERIC(10,2)", b="DATE"))
    data = b"a;b\n1.234;2024-01-05\n1.234,50;31.12.2024\n"
    source = await opened(
        StoredBytes(data), file_name="a.csv", options=ImportOptions(), contract=None
    )
    into = await look_at(source, ImportOptions(), await load.contract("t"), rows=5)
    assert into.format is not None
    assert into.format.decimal == ","
    assert [(each.line, each.column) for each in into.problems] == [(3, "b")]
    assert (into.columns[0].min, into.columns[0].max) == ("1.234", "1.234")
    made = await look_at(source, ImportOptions(), None, rows=5)
    assert [column.type for column in made.columns] == [of_api("NUMERIC"), of_api("TEXT")]
