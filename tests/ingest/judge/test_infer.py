"""`create_table`: the narrowest type that gives every cell back, and why no narrower one."""

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.ingest.domain.options import ImportOptions, Numbers
from services.ingest.errors import DuplicateColumnError, OptionError, TooManyColumnsError
from tests.ingest.load.loading import Loader, columns
from tests.support.profile import only_in_full

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
        "flag": ("TEXT", "line 3: 'F' is a word of another pair of truth words"),
        "n": ("INTEGER", "all 2 values fit"),
        "big": ("BIGINT", "line 3: '3000000000' is too large for INTEGER"),
        "amount": ("NUMERIC", "line 2: '1.50' is not a whole number"),
        "ratio": ("TEXT", "line 2: '1e3' is written with an exponent"),
        "zip": ("TEXT", "line 3: '00501' has a leading zero"),
        "phone": ("TEXT", "line 3: '+49' has a plus sign"),
        "day": ("DATE", "all 2 values fit"),
        "seen_at": ("TIMESTAMP", "line 3: '2024-01-01T10:00:01' is not a date"),
        "zoned": (
            "TIMESTAMPTZ",
            (
                "line 3: '2024-01-01 10:00+02' is not a timestamp;"
                " line 2: '2024-01-01 10:00' has no zone: it is read as UTC"
            ),
        ),
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


@only_in_full
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
    outcome = await load.load("w", "xmin,XMIN,नाम,ชื่อ,km²,²,Ⅳ\n1,2,3,4,5,6,7\n", options=CREATE)
    assert [column.column for column in outcome.inferred] == [
        "source_xmin", "XMIN", "नाम", "ชื่อ", "km", "column_6", "column_7",
    ]  # fmt: skip
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


async def test_a_member_without_a_name_is_a_column(load: Loader) -> None:
    for name, data in (
        ("t", '[{"": 1, "b": "x"}, {"": 2}]'),
        ("u", '[{"": 1, "b": {"c": 2}}, {"": 2, "column_0": 3}, {"": 2, "a": "\\u0001"}]'),
    ):
        outcome = await load.load(name, data, options=CREATE)
        assert outcome.inferred[0].column == "column_1"
        assert (await load.rows(name, "column_1"))[:2] == [(1,), (2,)]
    file = io.BytesIO()
    pq.write_table(pa.table({"": [1, 2], "column_0": [3, 4]}), file)
    await load.load("v", file.getvalue(), file_name="a.parquet", options=CREATE)
    assert await load.rows("v", "column_1, column_0") == [(1, 3), (2, 4)]


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


async def inferred(load: Loader, cells: Sequence[str], **options: Any) -> tuple[str, str]:
    """Type and evidence of a column with these cells."""
    data = "a;b\n" + "".join(f'"{cell}";\n' for cell in cells)
    outcome = await load.load("t", data, options=replace(CREATE, delimiter=";", **options))
    assert outcome.rows.rejected == 0
    return outcome.inferred[0].type, outcome.inferred[0].because


@pytest.mark.parametrize(
    ("cells", "kind", "because"),
    [
        (["NO", "NO"], "TEXT", "line 2: 'NO' may be a truth value, but no row has 'yes'"),
        (["Yes", "NO", "yes"], "BOOLEAN", "all 3 values fit"),
        (["t", "F"], "BOOLEAN", "all 2 values fit"),
        (["True", "TRUE"], "BOOLEAN", "all 2 values fit"),
        (["yes", "off"], "TEXT", "line 3: 'off' is a word of another pair of truth words"),
        (["0", "1"], "INTEGER", "all 2 values fit"),
        (["3E1", "7E0"], "TEXT", "line 2: '3E1' is written with an exponent"),
        (["1e+20", "1.5e-07"], "DOUBLE PRECISION", "line 2: '1e+20' is written with an exponent"),
        (["1.0", "1e+20"], "DOUBLE PRECISION", "line 3: '1e+20' is written with an exponent"),
        (["1.5E-7", "1"], "TEXT", "line 2: '1.5E-7' is written with an exponent"),
        (["1.", "2."], "TEXT", "line 2: '1.' would come back as 1"),
        (["89652900000000012345", "8.96529E+19"], "TEXT", "line 3: '8.96529E+19' is written"),
        (["89652900000000012345", "1"], "NUMERIC", "line 2: '89652900000000012345' is too large"),
        ([".5", "1.5"], "TEXT", "line 2: '.5' would come back as 0.5"),
        (["-0.0", "1.5"], "DOUBLE PRECISION", "line 2: '-0.0' would come back as 0.0"),
        (["-0", "1"], "DOUBLE PRECISION", "line 2: '-0' would come back as 0"),
        (["+4915112345678"], "TEXT", "line 2: '+4915112345678' has a plus sign"),
        (["007", "12"], "TEXT", "line 2: '007' has a leading zero"),
        (["1_000"], "TEXT", "is no number, date, time, UUID or truth value"),
        (["03:45", "04:10"], "TEXT", "may be hours and minutes or minutes and seconds; `types`"),
        (["03:45", "04:10:07.50"], "TIME", "all 2 values fit"),
        (["2024-01-05 10:11", "2024-01-05T10:11:12.500"], "TIMESTAMP", "line 2:"),
        (["2024-01-05 10:11Z", "2024-01-05 10:11:12 +0530"], "TIMESTAMPTZ", "line 2:"),
        (["20240105T101112Z"], "TEXT", "would come back as 2024-01-05 10:11:12+00"),
        (["2024-01-05 10:11:12.1234567"], "TEXT", "is no number, date, time, UUID"),
        (["2024-02-30"], "TEXT", "line 2: '2024-02-30' is no day of the calendar"),
        (["6BA7B810-9DAD-11D1-80B4-00C04FD430C8"], "TEXT", "come back as 6ba7b810-9dad-11d1"),
        (["20240131", "20240201"], "INTEGER", "all 2 values fit"),
    ],
)  # fmt: skip
async def test_a_type_gives_every_cell_back(
    load: Loader, cells: list[str], kind: str, because: str
) -> None:
    found, evidence = await inferred(load, cells)
    assert found == kind
    assert because in evidence
    if kind == "TEXT":
        assert await load.rows("t", "a") == [(cell,) for cell in cells]


@pytest.mark.parametrize(
    ("cells", "kind", "because", "values"),
    [
        (["1,50", "12,00"], "NUMERIC", "line 2: '1,50' is 1.50 by `decimal=,`", ["1.50", "12.00"]),
        (
            ["1.234", "1.234,50"],
            "NUMERIC",
            "line 3: '1.234,50' is 1234.50 by `decimal=, thousands=.`",
            ["1234", "1234.50"],
        ),
        (
            ["7", "1,234", "1,234.50"],
            "NUMERIC",
            "line 4: '1,234.50' is 1234.50 by `thousands=,`",
            ["7", "1234", "1234.50"],
        ),
        (["1,234,567"], "INTEGER", "'1,234,567' is 1234567 by `thousands=,`", ["1234567"]),
        (["1 234", "5"], "INTEGER", "by `thousands=space`", ["1234", "5"]),
        (["1'234.5", "5"], "NUMERIC", "by `thousands=apostrophe`", ["1234.5", "5"]),
        (["3.000.000.000", "5"], "BIGINT", "by `decimal=, thousands=.`", ["3000000000", "5"]),
        (
            ["31.12.2024", "01.02.2024"],
            "DATE",
            "line 2: '31.12.2024' is 2024-12-31 by `date_format=%d.%m.%Y`",
            ["2024-12-31", "2024-02-01"],
        ),
        (
            ["1/2/2024 9:05 AM", "12/31/2024 11:59 PM"],
            "TIMESTAMP",
            "line 3: '12/31/2024 11:59 PM' is 2024-12-31 by `date_format=%m/%d/%Y`",
            ["2024-01-02 09:05:00", "2024-12-31 23:59:00"],
        ),
        (["5-May-2024"], "DATE", "by `date_format=%d-%b-%Y`", ["2024-05-05"]),
        (["May 5, 2024", "June 6, 2024"], "DATE", "%B %d, %Y", ["2024-05-05", "2024-06-06"]),
        (["2024/01/31 10:11+01"], "TIMESTAMPTZ", "%Y/%m/%d", ["2024-01-31 09:11:00+00"]),
    ],
)  # fmt: skip
async def test_the_one_notation_that_every_cell_fits(
    load: Loader, cells: list[str], kind: str, because: str, values: list[str]
) -> None:
    found, evidence = await inferred(load, cells)
    assert found == kind
    assert because in evidence
    assert await load.rows("t", "a::text") == [(value,) for value in values]


@pytest.mark.parametrize(
    ("cells", "because"),
    [
        (
            ["1,234", "5,678"],
            "line 2: '1,234' is 1.234 by `decimal=,` and 1234 by `thousands=,`; name the one",
        ),
        (
            ["02/02/2024", "01/02/2024"],
            "is 2024-02-01 by `date_format=%d/%m/%Y` and 2024-01-02 by `date_format=%m/%d/%Y`",
        ),
        (["1.234,50", "1,234.50"], "is no number"),
        (["31.12.2024", "12.31.2024"], "is no number, date"),
        (["31.12.2024", "2024-12-31"], "is no number, date"),
        (["0.123,50", "007"], "is no number"),
        (["31/12/24", "01/02/23"], "is no number, date"),
        (
            ["31.12.2024", "30.12.2024", "31.02.2024", "29.12.2024"],
            ("line 2: '31.12.2024' is no number, date, time, UUID or truth value;"
            " `date_format=%d.%m.%Y` reads it as 2024-12-31, but not '31.02.2024' (line 4)"),
        ),
        (
            ["01.02.2024", "03.04.2024", "31.02.2024"],
            ("`date_format=%d.%m.%Y` reads it as 2024-02-01, `date_format=%m.%d.%Y` reads it as"
            " 2024-01-02, but not '31.02.2024' (line 4)"),
        ),
        (
            ["12", "1.234,5", "7,5 kg"],
            ("line 3: '1.234,5' is not a whole number; `decimal=, thousands=.` reads it as 1234.5,"
            " but not '7,5 kg' (line 4)"),
        ),
    ],
)  # fmt: skip
async def test_two_readings_or_none_stay_text(load: Loader, cells: list[str], because: str) -> None:
    found, evidence = await inferred(load, cells)
    assert found == "TEXT"
    assert because in evidence
    assert await load.rows("t", "a") == [(cell,) for cell in cells]


@pytest.mark.parametrize("first", [["5"] * 300, ["1.234"] * 300, ["12.5"] * 300])
async def test_a_late_cell_rules_the_plain_numbers_out(load: Loader, first: list[str]) -> None:
    found, evidence = await inferred(load, [*first, "1.234,50"])
    assert found == ("TEXT" if first[0] == "12.5" else "NUMERIC")
    if found == "NUMERIC":
        assert "line 302: '1.234,50' is 1234.50 by `decimal=, thousands=.`" in evidence
        assert (await load.rows("t", "a::text"))[0] == (first[0].replace(".", ""),)


async def test_options_name_the_notation(load: Loader) -> None:
    assert await inferred(load, ["1,234"], decimal=",") == (
        "NUMERIC", "line 2: '1,234' is not a whole number",
    )  # fmt: skip
    await load.owner.execute("DROP TABLE data.t")
    assert (await inferred(load, ["12.50-", "(1,234)", "5 %"], numbers=Numbers.LENIENT))[0] == (
        "NUMERIC"
    )
    assert await load.rows("t", "a::text") == [("-12.50",), ("-1234",), ("0.05",)]
    await load.owner.execute("DROP TABLE data.t")
    assert (await inferred(load, ["20240131"], date_format="%Y%m%d"))[0] == "DATE"
    await load.owner.execute("DROP TABLE data.t")
    assert (await inferred(load, ["31/12/57", "01/02/23"], century_from=1930))[0] == "DATE"
    assert await load.rows("t", "a::text") == [("1957-12-31",), ("2023-02-01",)]
    await load.owner.execute("DROP TABLE data.t")
    assert await inferred(load, ["03:45"], types={"a": "TIME"}) == ("TIME", "`types` names it")
    assert await load.rows("t", "a::text") == [("03:45:00",)]


async def test_types_are_named_for_columns_that_are_there(load: Loader) -> None:
    for types in ({"zz": "TEXT"}, {"a": "MONEY"}):
        with pytest.raises(OptionError, match="types"):
            await load.load("t", "a\n1\n", options=replace(CREATE, types=types))
    types = {"Zip code": "VARCHAR(5)", "net_price": "NUMERIC(8,2)"}
    data = "Zip code,net price,n\n00501,1.5,1\n"
    outcome = await load.load("t", data, options=replace(CREATE, types=types))
    assert [column.type for column in outcome.inferred] == ["VARCHAR(5)", "NUMERIC(8,2)", "INTEGER"]
    assert await load.rows("t", '"Zip_code", net_price::text') == [("00501", "1.50")]


async def test_words_for_null_beside_numbers_and_dates(load: Loader) -> None:
    data = (
        "n,d,f,day,name,flag,none\n1,NA,1e+20,NULL,NA,true,NA\n"
        "NaN,1.5,NaN,2024-01-05,x,NA,N/A\n#N/A,2,1,N/A,y,false,\n"
    )
    outcome = await load.load("t", data, options=CREATE)
    assert {column.column: (column.type, column.because) for column in outcome.inferred} == {
        "n": ("INTEGER", "all 1 values fit; NaN (line 3) is NULL; #N/A (line 4) is NULL"),
        "d": ("NUMERIC", "line 3: '1.5' is not a whole number; NA (line 2) is NULL"),
        "f": ("DOUBLE PRECISION", "line 2: '1e+20' is written with an exponent"),
        "day": ("DATE", "all 1 values fit; NULL (line 2) is NULL; N/A (line 4) is NULL"),
        "name": ("TEXT", "line 3: 'x' is no number, date, time, UUID or truth value"),
        "flag": ("TEXT", "line 3: 'NA' stands for NULL beside numbers and dates alone"),
        "none": ("TEXT", "no row has another value than NA, N/A"),
    }
    assert await load.rows("t", "n, d::text, f::text, day::text, name, flag, none") == [
        (1, None, "1e+20", None, "NA", "true", "NA"),
        (None, "1.5", "NaN", "2024-01-05", "x", "NA", "N/A"),
        (None, "2", "1", None, "y", "false", None),
    ]
    assert outcome.format is not None
    assert set(outcome.format.null_values) == {"NaN", "#N/A", "NA", "NULL", "N/A"}


async def test_the_notation_is_told(load: Loader) -> None:
    data = "a;b;c\n1,50;31.12.2024;1\n2,25;05.01.2024;2\n"
    outcome = await load.load("t", data, options=CREATE)
    assert outcome.format is not None
    assert (outcome.format.decimal, outcome.format.date_formats) == (",", ("%d.%m.%Y",))
    mixed = await load.load("u", "a;b\n1,50;1.25\n2,25;7.5\n", options=CREATE)
    assert mixed.format is not None
    assert mixed.format.decimal is None


async def test_json_strings_are_no_numbers_in_any_notation(load: Loader) -> None:
    data = '[{"a": "1,50", "b": "31.12.2024", "c": 1.5}, {"a": "2,50", "b": "01.02.2024", "c": 2}]'
    outcome = await load.load("t", data, options=CREATE)
    assert [column.type for column in outcome.inferred] == ["TEXT", "DATE", "NUMERIC"]


HI = 'line 2: \'="say ""hi"""\' is how spreadsheet programs write the text \'say "hi"\''


async def test_texts_in_formulas(load: Loader) -> None:
    data = 'zip,city,n,q\n="00501",Holtsville,1,"=""say """"hi"""""""\n="10001",=A1,"=""7""",=""\n'
    outcome = await load.load("t", data, options=CREATE)
    assert [(column.type, column.because) for column in outcome.inferred] == [
        ("TEXT", """line 2: '="00501"' is how spreadsheet programs write the text '00501'"""),
        ("TEXT", "line 2: 'Holtsville' is no number, date, time, UUID or truth value"),
        ("TEXT", """line 3: '="7"' is how spreadsheet programs write the text '7'"""),
        ("TEXT", HI),
    ]
    rows = [("00501", "Holtsville", "1", 'say "hi"'), ("10001", "=A1", "7", "")]
    assert await load.rows("t", "zip, city, n, q") == rows
    await load.make_table("u", columns(zip="VARCHAR(5)", city="TEXT", n="INTEGER", q="TEXT"))
    again = await load.load("u", data)
    assert again.rows.loaded == 2
    assert await load.rows("u", "zip, n") == [("00501", 1), ("10001", 7)]


@pytest.mark.parametrize("rows", [2, 3000])
async def test_words_for_null_are_no_strings_of_json(load: Loader, rows: int) -> None:
    elements = ['{"n": 1, "d": "NA", "t": "NA"}', '{"n": "N/A", "d": 1.5, "t": "x"}'] * rows
    data = "[" + ", ".join(elements) + "]"
    outcome = await load.load("t", data, options=CREATE)
    assert [column.type for column in outcome.inferred] == ["INTEGER", "NUMERIC", "TEXT"]
    assert (await load.rows("t", "n, d::text, t"))[:2] == [(1, None, "NA"), (None, "1.5", "x")]


async def test_progress_is_noted_while_types_are_inferred(load: Loader) -> None:
    data = "n\n" + "1\n" * 1000
    await load.load("t", data, options=CREATE)
    inferred, *_, loaded = load.progress
    assert (inferred.rows_read, inferred.bytes_read) == (0, len(data))
    assert inferred.bytes_total == len(data)
    assert loaded.rows_read == 1000
