"""Workbooks of every kind, read in the process that reads them."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from services.ingest.read.confined import ChildDiedError, confined
from tests.support.workbooks import ods, table_xml, xlsb, xlsx, zipped

MIB = 1 << 20


async def read(
    file: bytes | Path,
    folder: Path,
    *,
    sheet: str | None = None,
    memory_bytes: int = 200 * MIB,
    limit_bytes: int = 1 << 30,
) -> list[dict[str, Any]]:
    """Every message about a file, in order."""
    path = file
    if isinstance(file, bytes):
        path = folder / "workbook"
        path.write_bytes(file)
    options = {
        "limit_bytes": limit_bytes,
        "sheet": sheet,
        "memory_bytes": memory_bytes,
        "cpu_s": 30,
    }
    async with confined(
        "services.ingest.read.sheets", (str(path), json.dumps(options))
    ) as messages:
        return [json.loads(message) async for message in messages]


async def rows_of(
    file: bytes | Path, folder: Path, sheet: str | None = None
) -> list[list[str | None]]:
    """The rows of a sheet, without the blank cells at their end."""
    rows: list[list[str | None]] = []
    for batch in (await read(file, folder, sheet=sheet))[1:-1]:
        for row in zip(*batch["columns"], strict=True):
            cells = list(row)
            while cells and cells[-1] is None:
                cells.pop()
            rows.append(cells)
    return rows


def cell(content: str) -> str:
    """A sheet of one row of one cell."""
    return f'<row r="1">{content}</row>'


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("3", "3"),
        ("3.0", "3"),
        ("-0", "0"),
        ("1.10", "1.1"),
        ("0.30000000000000004", "0.3"),
        ("12345678901234567", "12345678901234567"),
        ("0.12345678901234567890", "0.1234567890123456789"),
        ("1E-3", "0.001"),
        ("1.2E+20", "120000000000000000000"),
        ("8901234567890123456", "8901234567890123456"),
    ],
)
async def test_a_number_keeps_its_digits(raw: str, text: str, tmp_path: Path) -> None:
    assert await rows_of(xlsx(cell(f'<c r="A1"><v>{raw}</v></c>')), tmp_path) == [[text]]


@pytest.mark.parametrize(
    ("code", "raw", "text"),
    [
        ("yyyy-mm-dd", "45351", "2024-02-29"),
        ("dd/mm/yyyy", "45351.5", "2024-02-29 12:00:00"),
        ("dd.mm.yyyy hh:mm", "45351", "2024-02-29 00:00:00"),
        ("[$-409]d-mmm-yy;@", "1", "1900-01-01"),
        ("mmm yyyy", "61", "1900-03-01"),
        ("yyyy&quot;年&quot;m&quot;月&quot;d&quot;日&quot;", "45351", "2024-02-29"),
        ("h:mm AM/PM", "0.5", "12:00:00"),
        ("mm:ss.0", "0.00001157407", "00:00:01"),
        ("h:mm", "45351.25", "2024-02-29 06:00:00"),
        ("[h]:mm", "2.0625", "PT49H30M0S"),
        ("[h]:mm", "-0.5", "PT-12H-0M-0S"),
        ("0%", "0.12", "0.12"),
        ("#,##0.00 €", "1234.5", "1234.5"),
        ("00000", "501", "00501"),
        ("00000", "1234567", "1234567"),
        ("000\\-00\\-0000", "23456789", "023-45-6789"),
        ("000-00-0000", "1023456789", "1023-45-6789"),
        ("&quot;INV-&quot;0000", "12", "INV-0012"),
        ("[Red]0000;-0000", "12", "0012"),
        ("0000", "1.5", "1.5"),
        ("00%", "0.12", "0.12"),
        ("0 &quot;days&quot;", "12", "12"),
        ("0.00E+00", "1234", "1234"),
        ("General", "45351", "45351"),
        ("Standard", "45351", "45351"),
        ("Est\N{LATIN SMALL LETTER A WITH ACUTE}ndar;@", "45351", "45351"),
        ("mmmm", "45351", "2024-02-29"),
    ],
)
async def test_a_number_is_what_its_format_makes_of_it(
    code: str, raw: str, text: str, tmp_path: Path
) -> None:
    book = xlsx(cell(f'<c r="A1" s="1"><v>{raw}</v></c>'), formats=[code])
    assert await rows_of(book, tmp_path) == [[text]]


async def test_the_1904_system_counts_from_1904(tmp_path: Path) -> None:
    book = xlsx(cell('<c r="A1" s="1"><v>0</v></c>'), formats=["yyyy-mm-dd"], since_1904=True)
    assert await rows_of(book, tmp_path) == [["1904-01-01"]]


@pytest.mark.parametrize(
    ("content", "shown", "message"),
    [
        ('<c r="A1" t="e"><v>#N/A</v></c>', "#N/A", "the cell shows the error #N/A"),
        ('<c r="A1" t="e"><v>#SPILL!</v></c>', "#SPILL!", "the cell shows the error #SPILL!"),
        ('<c r="A1"><f>A2+1</f></c>', "", "the formula has no computed value"),
        ('<c r="A1" s="1"><v>60</v></c>', "60", "29 February 1900 is no day"),
        ('<c r="A1" s="1"><v>2958466</v></c>', "2958466", "2958466 is not a date"),
        ('<c r="A1"><v>twelve</v></c>', "twelve", "'twelve' is not a number"),
    ],
)
async def test_a_cell_without_a_value_says_why(
    content: str, shown: str, message: str, tmp_path: Path
) -> None:
    batch = (await read(xlsx(cell(content), formats=["yyyy-mm-dd"]), tmp_path))[1]
    assert batch["columns"] == [[shown]]
    [(row, place, said)] = batch["faults"]
    assert (row, place) == (0, 0)
    assert message in said


async def test_texts_are_read_however_they_are_stored(tmp_path: Path) -> None:
    content = (
        '<c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c>'
        '<c r="C1" t="inlineStr"><is><r><t>in</t></r><r><t>line</t></r></is></c>'
        '<c r="D1" t="str"><f>"a"&amp;"b"</f><v>ab</v></c><c r="E1" t="b"><v>1</v></c>'
        '<c r="G1" t="inlineStr"><is><t>_x000D_tab_x0009_</t></is></c>'
    )
    strings = ["<t>plain</t>", '<r><t>漢</t></r><r><t>字</t></r><rPh sb="0"><t>かん</t></rPh>']
    batch = (await read(xlsx(cell(content), strings=strings), tmp_path))[1]
    assert [column[0] for column in batch["columns"]] == [
        *("plain", "漢字", "inline", "ab", "true", None, "\rtab\t"),
    ]
    assert sorted(batch["texts"]) == ["0", "1", "2", "3", "6"]


async def test_rows_keep_their_numbers_and_blank_ones_are_left_out(tmp_path: Path) -> None:
    sheet = (
        '<row r="3"><c r="B3"><v>1</v></c></row><row r="4"/><row r="7"><c r="A7"><v>2</v></c></row>'
    )
    batch = (await read(xlsx(sheet), tmp_path))[1]
    assert batch["numbers"] == [3, 7]
    assert batch["columns"] == [[None, "2"], ["1", None]]


async def test_a_lying_dimension_is_not_believed(tmp_path: Path) -> None:
    book = xlsx(table_xml([["a", "b"], [1, 2]]), dimension="A1")
    assert await rows_of(book, tmp_path) == [["a", "b"], ["1", "2"]]


async def test_sheets_and_merged_ranges_are_named(tmp_path: Path) -> None:
    merged = '<mergeCells count="1"><mergeCell ref="A1:B2"/></mergeCells>'
    book = xlsx(
        {"One": table_xml([["x"]]), "Two": table_xml([["y"]])}, hidden=["Two"], epilogue=merged
    )
    first, *_, last = await read(book, tmp_path)
    assert first["sheets"] == [{"name": "One", "hidden": False}, {"name": "Two", "hidden": True}]
    assert last == {"merged": ["A1:B2"]}
    assert await rows_of(book, tmp_path, sheet="2") == [["y"]]


@pytest.mark.parametrize(
    ("wanted", "chosen"), [(None, "Two"), ("One", "One"), ("3", "Three"), ("Two", "Two")]
)
async def test_a_sheet_is_chosen_by_name_number_or_as_the_only_one(
    wanted: str | None, chosen: str, tmp_path: Path
) -> None:
    cells = table_xml([["x"]])
    book = xlsx({"One": "", "Two": cells, "Three": cells}, hidden=["Three"])
    assert (await read(book, tmp_path, sheet=wanted))[0]["sheet"] == chosen


@pytest.mark.parametrize(
    ("wanted", "code"), [(None, "sheet_needed"), ("Four", "unknown_sheet"), ("0", "unknown_sheet")]
)
async def test_a_sheet_that_is_not_clear_is_asked_for(
    wanted: str | None, code: str, tmp_path: Path
) -> None:
    book = xlsx({"One": table_xml([["x"]]), "Two": table_xml([["y"]])})
    *_, last = await read(book, tmp_path, sheet=wanted)
    assert last["code"] == code
    assert "'One', 'Two'" in last["message"]


async def test_a_sheet_of_many_rows_comes_in_batches(tmp_path: Path) -> None:
    table = [[number, f"text {number}"] for number in range(12_000)]
    messages = await read(xlsx(table_xml(table)), tmp_path)
    sizes = [len(batch["numbers"]) for batch in messages[1:-1]]
    assert sum(sizes) == 12_000
    assert sizes[0] == 200
    shares = [batch["share"] for batch in messages[1:-1]]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert max(sizes) <= 5_000


async def test_binary_workbooks_are_read_alike(tmp_path: Path) -> None:
    row = [
        (7, struct.pack("<I", 0)),
        (5, struct.pack("<d", 1.5)),
        (2, struct.pack("<I", (123 << 2) | 3)),
        (4, b"\1"),
        None,
        (3, b"\x2a"),
        (6, struct.pack("<I", 2) + "ab".encode("utf-16-le")),
    ]
    first, batch, _ = await read(xlsb([[], row], strings=["Zoë"]), tmp_path)
    assert (first["kind"], first["sheet"]) == ("xlsb", "Sheet1")
    assert batch["numbers"] == [2]
    assert [column[0] for column in batch["columns"]] == [
        *("Zoë", "1.5", "1.23", "true", None, "#N/A", "ab"),
    ]
    assert batch["faults"] == [[0, 5, "the cell shows the error #N/A"]]


async def test_opendocument_is_read_alike(tmp_path: Path) -> None:
    def one(kind: str, more: str = "", text: str = "") -> str:
        start = f'<table:table-cell office:value-type="{kind}" {more}>'
        return f"{start}<text:p>{text}</text:p></table:table-cell>"

    styles = (
        '<number:time-style style:name="N1" number:truncate-on-overflow="false"/>'
        '<style:style style:name="ce1" style:data-style-name="N1"/>'
    )
    row = (
        one("string", text='Zoë<text:s text:c="2"/>B.')
        + one("float", 'office:value="0.12345678901234567890"', "0.12")
        + one("percentage", 'office:value="0.12"', "12 %")
        + one("date", 'office:date-value="2024-02-29"')
        + one("date", 'office:date-value="2024-02-29T12:30:00"')
        + one("time", 'office:time-value="PT12H00M00S"')
        + one("time", 'office:time-value="PT02H00M00S" table:style-name="ce1"')
        + one("boolean", 'office:boolean-value="true"')
        + '<table:table-cell table:number-columns-repeated="2"/>'
        + one("string", 'table:formula="of:=1/0" calcext:value-type="error"', "#DIV/0!")
        + '<table:table-cell office:value-type="string"><office:annotation><text:p>note</text:p>'
        "</office:annotation><text:p>a</text:p><text:p>b</text:p></table:table-cell>"
        + '<table:table-cell table:number-columns-repeated="16372"/>'
    )
    blank = '<table:table-row table:number-rows-repeated="{}"><table:table-cell/></table:table-row>'
    table = (
        blank.format(2)
        + f'<table:table-row table:number-rows-repeated="2">{row}</table:table-row>'
        + blank.format(1_048_570)
    )
    book = ods({"Other": "", "Data": table}, styles=styles)
    first, batch, _ = await read(book, tmp_path, sheet="Data")
    assert [sheet["name"] for sheet in first["sheets"]] == ["Other", "Data"]
    assert batch["numbers"] == [3, 4]
    assert [column[1] for column in batch["columns"]] == [
        *("Zoë  B.", "0.1234567890123456789", "0.12", "2024-02-29", "2024-02-29 12:30:00"),
        *("12:00:00", "PT02H00M00S", "true", None, None, "#DIV/0!", "a\nb"),
    ]
    assert batch["faults"][0] == [0, 10, "the cell shows the error #DIV/0!"]


async def test_hidden_tables_and_merged_ranges_of_opendocument_are_named(tmp_path: Path) -> None:
    styles = (
        '<style:style style:name="ta1" style:family="table"><style:table-properties/></style:style>'
        '<style:style style:name="ta2" style:family="table">'
        '<style:table-properties table:display="false"/></style:style>'
    )
    text = '<table:table-cell office:value-type="string"{}><text:p>a</text:p></table:table-cell>'
    spanned = ' table:number-columns-spanned="2" table:number-rows-spanned="3"'
    row = f"<table:table-row>{text.format('')}{text.format(spanned)}</table:table-row>"
    book = ods(
        {'Shown" table:style-name="ta1': row, 'Hidden" table:style-name="ta2': row}, styles=styles
    )
    first, *_, last = await read(book, tmp_path)
    assert first["sheets"] == [
        {"name": "Shown", "hidden": False},
        {"name": "Hidden", "hidden": True},
    ]
    assert first["sheet"] == "Shown"
    assert last == {"merged": ["B1:C3"]}


async def test_old_workbooks_are_read_alike(tmp_path: Path) -> None:
    first, batch, last = await read(Path(__file__).parent / "people.xls", tmp_path)
    assert first == {
        "kind": "xls",
        "sheets": [{"name": "Data", "hidden": False}, {"name": "Hidden", "hidden": True}],
        "sheet": "Data",
    }
    rows = [list(row) for row in zip(*batch["columns"], strict=True)]
    assert rows[1] == [
        *("Zoë", "2024-02-29", "0.12", "2024-02-29 23:59:01", "PT49H30M0S", "true", None, "00501"),
    ]
    assert rows[2][:3] == ["Bob", None, "12345678901.5"]
    assert batch["faults"] == [[2, 6, "the cell shows the error #N/A"]]
    assert batch["numbers"] == [1, 2, 4, 6]
    assert last == {"merged": ["A6:B6"]}


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (b"PK\x03\x04 and no more", "damaged_file"),
        (zipped({"xl/workbook.xml": "<workbook>"}), "damaged_file"),
        (xlsx(cell('<c r="A1" t="s"><v>7</v></c>')), "damaged_file"),
        (xlsx(cell(""), prologue='<!DOCTYPE a [<!ENTITY b "c">]>'), "damaged_file"),
        (xlsx(table_xml([["x"]]))[:-200], "damaged_file"),
        (ods({}, manifest="<encryption-data/>"), "encrypted_file"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
            "encrypted_file",
        ),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "damaged_file"),
        (xlsx('<row r="1"><c r="ZZZ1"><v>1</v></c></row>'), "damaged_file"),
    ],
)
async def test_a_file_that_cannot_be_read_is_named(file: bytes, code: str, tmp_path: Path) -> None:
    *_, last = await read(file, tmp_path)
    assert last["code"] == code
    assert last["message"]


async def test_a_cell_in_the_far_corner_costs_nothing(tmp_path: Path) -> None:
    sheet = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    batch = (await read(xlsx(sheet), tmp_path, memory_bytes=64 * MIB))[1]
    assert batch["numbers"] == [1_048_576]
    assert len(batch["columns"]) == 16_384


async def test_what_decompresses_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    book = xlsx(cell(f'<c r="A1" t="str"><v>{"a" * (4 * MIB)}</v></c>'))
    *_, last = await read(book, tmp_path, limit_bytes=2 * MIB)
    assert last["code"] == "decompression_bomb"


async def test_a_workbook_that_takes_the_memory_ends_its_reader_alone(tmp_path: Path) -> None:
    strings = "<si><t>some shared text of a cell</t></si>" * 400_000
    book = xlsx(cell(""), more={"xl/sharedStrings.xml": f"<sst>{strings}</sst>"})
    with pytest.raises(ChildDiedError) as died:
        await read(book, tmp_path, memory_bytes=16 * MIB)
    assert died.value.memory


async def test_however_a_row_is_spelled_it_is_one_reading(tmp_path: Path) -> None:
    regular = (
        '<row r="2" spans="1:5"><c r="A2" s="1"><v>45351</v></c><c r="B2" t="s"><v>0</v></c>'
        '<c r="C2"/><c r="D2"><f>1+1</f><v>2</v></c><c r="E2" t="e"><v>#REF!</v></c></row>'
    )
    spellings = [
        regular,
        regular.replace('r="B2" t="s"', 't="s" r="B2"'),
        regular.replace("<c r=", "<c  r="),
        regular.replace("<v>0</v>", "<v><![CDATA[0]]></v>"),
        regular.replace("</c><c", "</c>\n <!-- next --><c"),
        regular.replace("<v>2</v>", "<v>&#50;</v>"),
        regular.replace('r="A2" ', "").replace('r="B2" ', ""),
    ]
    readings = []
    for spelling in spellings:
        sheet = f'<row r="1"/>{spelling}<row><c><v>9</v></c></row>'
        book = xlsx(sheet, formats=["yyyy-mm-dd"], strings=["<t>Zoë</t>"])
        readings.append(await read(book, tmp_path))
    assert readings[0][1]["numbers"] == [2, 3]
    assert [column[0] for column in readings[0][1]["columns"]] == [
        *("2024-02-29", "Zoë", None, "2", "#REF!"),
    ]
    assert all(reading == readings[0] for reading in readings)
