"""Exports as workbooks, read back by openpyxl: typed cells, digits, odd texts, limits."""

import datetime as dt
import io
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import openpyxl
import pytest
from openpyxl.utils.escape import unescape

from services.records.domain import Column
from services.records.files.workbook import SHEET, letters_of, sheet_name, workbook
from shared.contracts.records import ColumnName
from shared.values.types import ColumnType, TypeName
from tests.records.conftest import Service, new_name
from tests.support.profile import only_in_full

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
COLUMNS = [
    "t TEXT",
    "c CHAR(4)",
    "s SMALLINT",
    "b BIGINT",
    "n NUMERIC",
    "m NUMERIC(20,2)",
    "o BOOLEAN",
    "d DATE",
    "tz TIMESTAMPTZ",
    "ts TIMESTAMP",
    "f DOUBLE PRECISION",
    "r REAL",
    "j JSON",
    "x BYTEA",
    "at TIME",
    "i INTERVAL",
    "u UUID",
]


async def sheet_of(service: Service, table: str, **params: Any) -> Any:
    answer = await service.ann(
        "GET", f"/api/tables/{table}/export", params={"format": "xlsx", **params}
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == MEDIA_TYPE
    assert "Content-Encoding" not in answer.headers
    assert zipfile.ZipFile(io.BytesIO(answer.content)).testzip() is None
    return openpyxl.load_workbook(io.BytesIO(answer.content)).active


def moment(*parts: int) -> dt.datetime:
    """A time as a cell has it, without a zone."""
    return dt.datetime(*parts)  # type: ignore[arg-type,unused-ignore]  # noqa: DTZ001


def row_of(sheet: Any, number: int) -> dict[str, Any]:
    """A row's cells by their headers."""
    headers = [cell.value for cell in sheet[1]]
    return dict(zip(headers, sheet[number], strict=True))


def values_of(sheet: Any, number: int) -> dict[str, Any]:
    return {name: cell.value for name, cell in row_of(sheet, number).items()}


async def test_cells_have_the_types_of_their_columns(service: Service) -> None:
    table = new_name()
    await service.ann.table(table, *COLUMNS)
    await service.ann.insert(
        table,
        {
            "t": "Zoë",
            "c": "ab",
            "s": -7,
            "b": 999999999999999,
            "n": "0.5",
            "m": "1.50",
            "o": True,
            "d": "2024-02-29",
            "tz": "2026-01-31T10:00:00.25+02:00",
            "ts": "2026-01-31T10:00:00",
            "f": 0.1,
            "r": 0.5,
            "j": {"a": [1, None]},
            "x": "\\x00ff",
            "at": "10:30:00",
            "i": "P1D",
            "u": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
        },
        {"t": "", "o": False},
    )
    sheet = await sheet_of(service, table)
    assert values_of(sheet, 2) == {
        "id": 1,
        "t": "Zoë",
        "c": "ab  ",
        "s": -7,
        "b": 999999999999999,
        "n": 0.5,
        "m": 1.5,
        "o": True,
        "d": moment(2024, 2, 29),
        "tz": moment(2026, 1, 31, 8, 0, 0, 250_000),
        "ts": moment(2026, 1, 31, 10),
        "f": 0.1,
        "r": 0.5,
        "j": '{"a": [1, null]}',
        "x": "\\x00ff",
        "at": dt.time(10, 30),
        "i": "P1D",
        "u": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    }
    formats = {name: cell.number_format for name, cell in row_of(sheet, 2).items()}
    assert (formats["d"], formats["m"], formats["n"]) == ("yyyy-mm-dd", "0.00", "General")
    assert formats["ts"] == "yyyy-mm-dd hh:mm:ss"
    assert formats["tz"] == "yyyy-mm-dd hh:mm:ss.000"
    empty = values_of(sheet, 3)
    assert (empty.pop("id"), empty.pop("t"), empty.pop("o")) == (2, "", False)
    assert set(empty.values()) == {None}


async def test_the_header_is_bold_and_stays_in_view(service: Service) -> None:
    table = new_name()
    await service.ann.table(table, "a_long_name_of_a_column INTEGER", "d DATE")
    sheet = await sheet_of(service, table)
    assert (sheet.title, sheet.freeze_panes, sheet.max_row) == (table, "A2", 1)
    assert [cell.value for cell in sheet[1]] == ["id", "a_long_name_of_a_column", "d"]
    assert all(cell.font.bold for cell in sheet[1])
    assert sheet.column_dimensions["B"].width == 25


async def test_no_digit_is_lost(service: Service) -> None:
    """Excel keeps 15 digits; what is longer, or no number to it, is a text."""
    table = new_name()
    await service.ann.table(
        table, "b BIGINT", "n NUMERIC", "f DOUBLE PRECISION", "d DATE", "ts TIMESTAMP", "at TIME"
    )
    await service.ann.insert(
        table,
        {"b": 1234567890123456, "n": "12345678901234567890.10", "f": "NaN"},
        {"b": -1234567890123456, "n": "0.1234567890123456", "f": "-Infinity"},
        {"b": -999999999999999, "n": "-000.123456789012345000", "f": 1e308},
        {"n": "123456789012345.000", "f": 1e-300},
        {"n": f"0.{'0' * 50}1", "d": "1900-02-28", "ts": "infinity"},
        {"d": "1900-03-01", "ts": "1899-12-31T23:59:59", "at": "00:00:00.5"},
        {"d": "9999-12-31", "ts": "9999-12-31T23:59:59", "at": "23:59:59.999999"},
    )
    sheet = await sheet_of(service, table, sort="id")
    rows = [values_of(sheet, number) for number in range(2, 9)]
    assert [row["b"] for row in rows[:3]] == [
        "1234567890123456",
        "-1234567890123456",
        -(10**15) + 1,
    ]
    assert [row["n"] for row in rows[:5]] == [
        "12345678901234567890.10",
        "0.1234567890123456",
        -0.123456789012345,
        123456789012345,
        f"0.{'0' * 50}1",
    ]
    assert [row["f"] for row in rows[:4]] == ["NaN", "-Infinity", "1e+308", 1e-300]
    assert [row["d"] for row in rows[4:]] == [
        "1900-02-28",
        moment(1900, 3, 1),
        moment(9999, 12, 31),
    ]
    assert [row["ts"] for row in rows[4:]] == [
        "infinity",
        "1899-12-31 23:59:59",
        moment(9999, 12, 31, 23, 59, 59),
    ]
    assert [row["at"] for row in rows[4:]] == [None, dt.time(0, 0, 0, 500_000), "23:59:59.999999"]


async def test_every_text_comes_back_as_it_was(service: Service) -> None:
    table = new_name()
    texts = [
        "=1+1",
        "  spaces  ",
        "a<b>&\"c'",
        "two\nlines\tand a tab",
        "carriage\r\nreturn",
        "bell\x07 and \x1f",
        "_x0041_x0042_ is no escape",
        "_x is short",
        "emoji 🎉",
        "\ufffe\uffff",
    ]
    await service.ann.table(table, "t TEXT")
    await service.ann.insert(table, *({"t": text} for text in texts))
    sheet = await sheet_of(service, table, sort="id")
    cells = [sheet.cell(number, 2).value for number in range(2, 2 + len(texts))]
    assert [unescape(cell) for cell in cells] == texts
    assert cells[0] == "=1+1"
    assert cells[4] == "carriage_x000D_\nreturn"
    assert sheet["B2"].data_type == "s"  # and no formula


async def test_what_excel_cannot_hold_is_refused(service: Service) -> None:
    table = new_name()
    await service.ann.table(table, "t TEXT", "n INTEGER")
    await service.ann.insert(table, {"t": "🎉" * 16_383 + "x"})
    assert len((await sheet_of(service, table))["B2"].value) == 16_384
    await service.ann.insert(table, {"t": "🎉" * 16_384})
    path = f"/api/tables/{table}/export"
    answer = await service.ann("GET", path, params={"format": "xlsx"})
    error = answer.json()["errors"][0]
    assert (answer.status_code, error["field"], error["code"]) == (422, "format", "too_long")
    assert " t has longer values" in error["message"]
    assert (await sheet_of(service, table, fields="n")).max_row == 3


@only_in_full
async def test_a_row_too_many_is_refused(service: Service) -> None:
    table = new_name()
    await service.ann.table(table, "n SMALLINT")
    connection = await asyncpg.connect(service.database.url("records"))
    await connection.execute(
        f'INSERT INTO data."{table}" (n) SELECT 1 FROM generate_series(1, 1048576)'
    )
    await connection.close()
    path = f"/api/tables/{table}/export?format=xlsx"
    answer = await service.ann("GET", path)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "too_many_rows")
    fits = await service.ann("GET", f"{path}&fields=id&id__gt=1")
    assert fits.status_code == 200
    with zipfile.ZipFile(io.BytesIO(fits.content)).open(SHEET) as sheet:
        rows = sum(line.count(b"<row ") for line in sheet)
    assert rows == 1_048_576


async def test_filters_and_order(service: Service) -> None:
    table = new_name()
    await service.ann.table(table, "n INTEGER")
    await service.ann.insert(table, *({"n": n} for n in range(5)))
    sheet = await sheet_of(service, table, sort="-n", n__gte="2", fields="n")
    assert [[cell.value for cell in row] for row in sheet] == [["id", "n"], [5, 4], [4, 3], [3, 2]]


@pytest.mark.parametrize("huge", [False, True])
async def test_both_forms_of_zip_are_read(huge: bool) -> None:
    column = Column(name=ColumnName("n"), attnum=1, type=ColumnType(name=TypeName.INTEGER))

    async def rows() -> AsyncIterator[bytes]:
        yield b"1\n2\n"

    pieces = [piece async for piece in workbook(rows(), [column], name="T", huge=huge)]
    sheet: Any = openpyxl.load_workbook(io.BytesIO(b"".join(pieces))).active
    assert [cell.value for cell in sheet["A"]] == ["n", 1, 2]


def test_names_of_columns_and_sheets() -> None:
    assert [letters_of(number) for number in (1, 26, 27, 702, 703, 16_384)] == [
        "A",
        "Z",
        "AA",
        "ZZ",
        "AAA",
        "XFD",
    ]
    assert sheet_name("x" * 40) == "x" * 31
    assert sheet_name("𝒜" * 16) == "𝒜" * 15
    assert sheet_name("History") == "History_"
