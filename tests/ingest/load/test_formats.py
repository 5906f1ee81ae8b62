"""Workbooks, Parquet, Arrow and archives on their whole way into a table."""

import bz2
import gzip
import io
import lzma
from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.ingest.domain.options import FileFormat, ImportOptions
from services.ingest.errors import (
    EmptyFileError,
    FileRefusedError,
    OptionError,
    UnknownColumnError,
)
from services.ingest.read.errors import (
    BombError,
    DamagedFileError,
    HeaderDoubtfulError,
    MemberNeededError,
    NestedArchiveError,
    SheetNeededError,
    UnsupportedColumnError,
    WrongFileKindError,
)
from services.ingest.read.limits import Limits
from tests.ingest.load.loading import Loader, columns
from tests.support.profile import only_in_full
from tests.support.workbooks import table_xml, xlsx, zipped

MADE = ImportOptions(create_table=True)
PEOPLE = b"name,born\nAnn,1990-01-31\n"


def parquet(**arrays: Any) -> bytes:
    """A Parquet file of these columns."""
    sink = io.BytesIO()
    pq.write_table(pa.table(arrays), sink)
    return sink.getvalue()


def arrow(**arrays: Any) -> bytes:
    """An Arrow stream of these columns."""
    sink = io.BytesIO()
    table = pa.table(arrays)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


async def test_a_sheet_becomes_a_table_of_its_cells_types(load: Loader) -> None:
    rows = table_xml([["name", "n", "share", "ok", "zip"]]) + (
        '<row r="2"><c r="A2" t="inlineStr"><is><t>Ann</t></is></c><c r="B2"><v>1</v></c>'
        '<c r="C2" s="1"><v>0.125</v></c><c r="D2" t="b"><v>1</v></c>'
        '<c r="E2" s="2"><v>501</v></c></row>'
        '<row r="5"><c r="A5" t="inlineStr"><is><t>7</t></is></c><c r="B5" t="e"><v>#N/A</v></c>'
        '<c r="D5" t="b"><v>0</v></c></row>'
    )
    book = xlsx(rows, formats=["0.0%", "00000"])
    outcome = await load.load("people", book, options=MADE, file_name="people.xlsx")
    assert {column.name: column.type.spelled() for column in load.made} == {
        "name": "TEXT",
        "n": "INTEGER",
        "share": "NUMERIC",
        "ok": "BOOLEAN",
        "zip": "TEXT",
    }
    assert await load.rows("people", "name, n, share, ok, zip") == [
        ("Ann", 1, Decimal("0.125"), True, "00501"),
    ]
    assert load.rejects.reasons == [(5, "n", "type_mismatch")]
    assert "#N/A" in load.rejects.kept[0].message
    assert load.rejects.rows[0]["n"] == "#N/A"
    assert outcome.format is not None
    assert (outcome.format.name, outcome.format.sheet) == (FileFormat.XLSX, "Sheet1")


async def test_an_error_that_means_null_is_null(load: Loader) -> None:
    await load.make_table("t", columns(n="INTEGER"))
    book = xlsx(
        table_xml([["n"]])
        + '<row r="2"><c r="A2" t="e"><v>#N/A</v></c></row>'
        + '<row r="3"><c r="A3" t="e"><v>#REF!</v></c></row>'
    )
    await load.load("t", book, options=ImportOptions(null_values=("#N/A",)))
    assert await load.rows("t", "n") == [(None,)]
    assert load.rejects.reasons == [(3, "n", "type_mismatch")]


async def test_dates_and_times_of_a_sheet_fit_their_columns(load: Loader) -> None:
    await load.make_table("t", columns(d="DATE", ts="TIMESTAMP", t="TIME", i="INTERVAL"))
    rows = table_xml([["d", "ts", "t", "i"]]) + (
        '<row r="2"><c r="A2" s="1"><v>45351</v></c><c r="B2" s="2"><v>45351.5</v></c>'
        '<c r="C2" s="3"><v>0.75</v></c><c r="D2" s="4"><v>2.0625</v></c></row>'
    )
    book = xlsx(rows, formats=["d/m/yyyy", "d/m/yyyy h:mm", "h:mm", "[h]:mm"])
    await load.load("t", book)
    [(d, ts, t, i)] = await load.rows("t", "d, ts, t, extract(epoch from i)")
    assert (d, ts, t) == (date(2024, 2, 29), datetime(2024, 2, 29, 12), time(18))  # noqa: DTZ001
    assert i == Decimal("178200.000000")


async def test_rows_wider_than_the_header_are_refused(load: Loader) -> None:
    await load.make_table("t", columns(a="TEXT", b="TEXT"))
    merged = '<mergeCells><mergeCell ref="A1:B1"/></mergeCells>'
    book = xlsx(table_xml([["a", "b"], ["x"], ["y", "z", None, "stray"]]), epilogue=merged)
    outcome = await load.load("t", book)
    assert await load.rows("t", "a, b") == [("x", None)]
    assert load.rejects.reasons == [(3, None, "too_many_fields")]
    assert load.rejects.kept[0].raw == "y,z,,stray"
    assert outcome.format is not None
    assert outcome.format.merged_cells == ("A1:B1",)


async def test_a_title_above_the_header_is_skipped(load: Loader) -> None:
    book = xlsx(
        table_xml(
            [
                ["Sales 2024", None, None],
                ["as of: May", None, None],
                ["name", "n", "share"],
                ["Ann", 1, 0.5],
                ["Bob", 2, None],
                ["Sum", 3, 0.5],
            ]
        )
    )
    outcome = await load.load("t", book, options=replace(MADE, footer_lines=1))
    assert await load.rows("t", "name, n, share") == [
        ("Ann", 1, Decimal("0.5")),
        ("Bob", 2, None),
    ]
    found = outcome.format
    assert found is not None
    assert (found.header_line, found.skipped, found.footer_lines) == (3, 2, 1)


async def test_the_header_of_a_sheet_is_where_the_option_says(load: Loader) -> None:
    book = xlsx(table_xml([[2019, 2020], ["a", "b"], ["x", "y"]]))
    with pytest.raises(HeaderDoubtfulError, match="header_line=none"):
        await load.load("t", book, options=MADE)
    with pytest.raises(OptionError, match="no header on line 9"):
        await load.load("t", book, options=replace(MADE, header_line="9"))
    await load.load("t", book, options=replace(MADE, header_line="2"))
    assert await load.rows("t", "a, b") == [("x", "y")]
    await load.load("u", book, options=replace(MADE, header_line="none"))
    assert await load.rows("u", "column_1, column_2") == [("2019", "2020"), ("a", "b"), ("x", "y")]


async def test_columns_of_a_sheet_without_a_name_of_their_own_are_reached_by_place(
    load: Loader,
) -> None:
    book = xlsx(table_xml([["a", None, "a"], [1, 2, 3]]))
    mapping = {"#2": "b", "a#2": "c"}
    await load.load("t", book, options=replace(MADE, mapping=mapping))
    assert await load.rows("t", "a, b, c") == [(1, 2, 3)]


async def test_a_sheet_that_is_not_clear_is_asked_for(load: Loader) -> None:
    await load.make_table("t", columns(a="TEXT"))
    book = xlsx({"One": table_xml([["a"], ["1"]]), "Two": table_xml([["a"], ["2"]])})
    with pytest.raises(SheetNeededError, match="'One', 'Two'"):
        await load.load("t", book)
    await load.load("t", book, options=ImportOptions(sheet="Two"))
    assert await load.rows("t", "a") == [("2",)]
    with pytest.raises(OptionError):
        await load.load("t", "a\n1\n", options=ImportOptions(sheet="Two"))
    with pytest.raises(EmptyFileError):
        await load.load("t", xlsx({"One": "", "Two": ""}))
    with pytest.raises(UnknownColumnError):
        await load.load("t", xlsx(table_xml([["a", "b"]])))


async def test_typed_columns_bring_their_types(load: Loader) -> None:
    file = parquet(
        n=pa.array([1, None], pa.int16()),
        big=pa.array([2**63, 0], pa.uint64()),
        amount=pa.array([Decimal("1.10"), None], pa.decimal128(10, 2)),
        at=pa.array([0, 1_700_000_000_123_456], pa.timestamp("us", "Europe/Paris")),
        born=pa.array([0, None], pa.date32()),
        tags=pa.array([["a"], None]),
        kind=pa.array(["x", "y"]).dictionary_encode(),
        raw=pa.array([b"\0\1", None]),
    )
    outcome = await load.load("t", file, options=MADE, file_name="t.parquet")
    assert {column.name: column.type.spelled() for column in load.made} == {
        "n": "SMALLINT",
        "big": "NUMERIC(20,0)",
        "amount": "NUMERIC(10,2)",
        "at": "TIMESTAMPTZ",
        "born": "DATE",
        "tags": "JSON",
        "kind": "TEXT",
        "raw": "BYTEA",
    }
    assert outcome.inferred[0].because == "the source says int16"
    assert await load.rows("t", "n, big, amount, at::text, born, tags::text, kind, raw") == [
        (
            *(1, Decimal(2**63), Decimal("1.10"), "1970-01-01 00:00:00+00"),
            *(date(1970, 1, 1), '["a"]', "x", b"\0\1"),
        ),
        (None, Decimal(0), None, "2023-11-14 22:13:20.123456+00", None, None, "y", None),
    ]


async def test_values_that_a_narrower_column_cannot_hold_are_refused(load: Loader) -> None:
    await load.make_table("t", columns(n="INTEGER", ts="TIMESTAMP", note="TEXT"))
    file = arrow(
        n=pa.array([1, 2**40, 3], pa.int64()),
        ts=pa.array([0, 0, 1_001], pa.timestamp("ns")),
        note=pa.array(["a", "b", "c"]),
    )
    await load.load("t", file)
    assert await load.rows("t", "n, note") == [(1, "a")]
    assert [(line, column) for line, column, _ in load.rejects.reasons] == [(2, "n"), (3, "ts")]
    assert load.rejects.rows[1]["ts"] == "1970-01-01 00:00:00.000001001"


async def test_a_nul_in_typed_text_is_refused_alone(load: Loader) -> None:
    await load.make_table("t", columns(note="TEXT"))
    await load.load("t", arrow(note=pa.array(["a\0b", "c"])))
    assert await load.rows("t", "note") == [("c",)]
    assert load.rejects.reasons == [(1, "note", "nul_byte")]


async def test_a_nul_in_a_later_batch_is_refused(load: Loader) -> None:
    await load.make_table("t", columns(a="TEXT", b="TEXT"))
    count = 60_000
    texts = ["x"] * count
    texts[-1] = "x\0"
    await load.load("t", arrow(a=pa.array(["y"] * count), b=pa.array(texts)))
    assert load.rejects.reasons == [(count, "b", "nul_byte")]
    assert len(await load.rows("t", "a")) == count - 1


async def test_a_column_that_no_table_can_hold_is_named(load: Loader) -> None:
    with pytest.raises(UnsupportedColumnError, match="'wide'"):
        await load.load("t", arrow(wide=pa.array([Decimal(1)], pa.decimal256(60, 2))), options=MADE)


@pytest.mark.parametrize(
    ("pack", "compression"),
    [(gzip.compress, "gzip"), (bz2.compress, "bzip2"), (lzma.compress, "xz")],
)
@pytest.mark.parametrize(
    "file", [PEOPLE, xlsx(table_xml([["name", "born"], ["Ann", "1990-01-31"]]))]
)
async def test_files_come_compressed(
    pack: Any, compression: str, file: bytes, load: Loader
) -> None:
    await load.make_table("t", columns(name="TEXT", born="DATE"))
    packed = pack(file)
    outcome = await load.load("t", packed)
    assert await load.rows("t", "name, born") == [("Ann", date(1990, 1, 31))]
    assert outcome.format is not None
    assert outcome.format.compression == compression
    with pytest.raises(DamagedFileError):
        await load.load("t", packed[:-8])
    with pytest.raises(NestedArchiveError, match="another compressed"):
        await load.load("t", gzip.compress(packed))


async def test_one_member_of_an_archive_is_loaded(load: Loader) -> None:
    await load.make_table("t", columns(name="TEXT", born="DATE"))
    archive = zipped({"README.md": "read me", "data/people.csv": PEOPLE})
    outcome = await load.load("t", archive, file_name="people.zip")
    assert outcome.format is not None
    assert (outcome.format.compression, outcome.format.member) == ("zip", "data/people.csv")
    two = zipped({"a.csv": PEOPLE, "b.csv": PEOPLE.replace(b"Ann", b"Bob")})
    with pytest.raises(MemberNeededError, match="`member`"):
        await load.load("t", two)
    await load.load("t", two, options=ImportOptions(member="b.csv"))
    assert await load.rows("t", "name") == [("Ann",), ("Bob",)]
    with pytest.raises(OptionError):
        await load.load("t", PEOPLE, options=ImportOptions(member="b.csv"))


@only_in_full
async def test_a_workbook_in_an_archive_is_read_and_an_archive_in_one_is_not(
    load: Loader,
) -> None:
    await load.make_table("t", columns(name="TEXT"))
    book = xlsx(table_xml([["name"], ["Ann"]]))
    await load.load("t", zipped({"people.xlsx": book}))
    assert await load.rows("t", "name") == [("Ann",)]
    for inner in (zipped({"a.csv": PEOPLE}), gzip.compress(PEOPLE)):
        with pytest.raises(NestedArchiveError):
            await load.load("t", zipped({"inner.csv": inner}))
    with pytest.raises(NestedArchiveError):
        await load.load("t", gzip.compress(zipped({"a.csv": PEOPLE})))


@pytest.mark.parametrize(
    ("file", "error"),
    [
        (zipped({"[Content_Types].xml": "", "word/document.xml": ""}), WrongFileKindError),
        (xlsx(table_xml([["a"], ["1"]]))[:-100], DamagedFileError),
        (parquet(a=pa.array(["x"]))[:-4], DamagedFileError),
        (zipped({}), FileRefusedError),
    ],
)
async def test_what_cannot_be_read_is_refused_by_name(
    file: bytes, error: type[FileRefusedError], load: Loader
) -> None:
    await load.make_table("t", columns(a="TEXT"))
    with pytest.raises(error):
        await load.load("t", file)


async def test_a_file_that_wants_too_much_memory_is_refused_and_the_next_one_loads(
    load: Loader,
) -> None:
    await load.make_table("t", columns(a="TEXT"))
    strings = "<si><t>some shared text of a cell</t></si>" * 300_000
    book = xlsx(table_xml([["a"], ["1"]]), more={"xl/sharedStrings.xml": f"<sst>{strings}</sst>"})
    with pytest.raises(BombError, match="MiB of memory"):
        await load.load("t", book, limits=Limits(reader_memory_bytes=16 << 20))
    await load.load("t", "a\n1\n")
    assert await load.rows("t", "a") == [("1",)]
