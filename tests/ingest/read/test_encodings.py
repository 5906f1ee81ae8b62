"""UTF-8 with some lines that are not, one-byte encodings that are contradicted, and archives."""

import gzip
from typing import Any

import pytest

from services.ingest.domain.options import FileFormat
from services.ingest.read.errors import (
    EncodingContradictedError,
    EncodingNeededError,
    NestedArchiveError,
)
from tests.ingest.read.reading import read

VALID, INVALID, PLAIN = "Zoë,Köln\n".encode(), "René,Nîmes\n".encode("cp1252"), b"Ann,Rome\n"


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("filler", [0, 20_000])
async def test_lines_that_are_not_utf8_are_refused_one_by_one(at: int, filler: int) -> None:
    lines = [VALID, VALID]
    lines.insert(at, INVALID)
    data = b"name,city\n" + PLAIN * filler + PLAIN.join(lines) + PLAIN * filler
    found = await read(data, block=4096)
    assert found.refused == [(2 + filler + 2 * at, "bad_encoding")]
    assert len(found.rows) == 2 * filler + 4
    assert found.format.encoding == "utf-8"
    with pytest.raises(EncodingNeededError):
        await read(b"name,city\n" + PLAIN * filler + INVALID * 2 + VALID, block=4096)


@pytest.mark.parametrize("filler", [0, 20_000])
async def test_a_one_byte_encoding_named_for_utf8_is_contradicted(filler: int) -> None:
    data = b"name,city\n" + PLAIN * filler + VALID
    with pytest.raises(EncodingContradictedError, match="'ë' would become 'Ã«'") as refusal:
        await read(data, encoding="windows-1252", block=4096)
    assert refusal.value.errors[0].field == "encoding"
    forced = await read(data, encoding="windows-1252", force_encoding=True, block=4096)
    assert forced.cells[-1] == ("ZoÃ«", "KÃ¶ln")
    # Signs are no letters, and valid in both.
    assert (await read("a\n5 €\n".encode(), encoding="cp1252")).cells == [("5 â‚¬",)]
    assert (await read("a\né\n".encode("cp1252"), encoding="cp1252")).cells == [("é",)]


@pytest.mark.parametrize("filler", [0, 20_000])
async def test_signs_of_another_encoding_are_no_control_characters(filler: int) -> None:
    sign, letter = "5 €\n".encode("cp1252"), "é\n".encode("latin-1")
    data = b"a\n" + b"x\n" * filler
    with pytest.raises(EncodingContradictedError, match="'€' in windows-1252") as refused:
        await read(data + sign, encoding="iso-8859-15", block=4096)
    assert refused.value.errors[0].field == "encoding"
    forced = await read(data + sign, encoding="latin1", force_encoding=True, block=4096)
    assert forced.cells[-1] == ("5 \x80",)
    assert (await read(data + sign, encoding="cp1252", block=4096)).cells[-1] == ("5 €",)
    with pytest.raises(EncodingNeededError, match="windows-1252: '5 €'") as asked:
        await read(data + sign, block=4096)
    assert "iso-8859-15" not in asked.value.detail
    # Behind letters that hold, the rows are refused one by one.
    late = await read(data + letter + b"x\n" * 70_000 + sign, encoding="latin1", block=65_536)
    assert late.refused == [(filler + 70_003, "bad_encoding")]


async def test_a_report_is_read_as_what_it_is_whatever_the_options() -> None:
    report = (
        "\ufeffname,born,amount,_line,_column,_code,_message,_raw\n"
        "Zoë,28.02.1990,5.00,2,born,out_of_range,\"'31.02.1990' is no day\",\n"
    )
    options: dict[str, Any] = {
        "delimiter": ";", "encoding": "windows-1252", "quote": "none", "header_line": "3",
        "footer_lines": 1, "fill_short": True, "comment": "Z", "escape": "backslash",
        "format": FileFormat.JSON, "sheet": "1", "record_path": "a",
    }  # fmt: skip
    for text in (report, report.removeprefix("\ufeff")):
        found = await read(text, **options)
        assert found.cells[0][:3] == ("Zoë", "28.02.1990", "5.00")
    found = await read(report, **options)
    assert found.cells[0][:3] == ("Zoë", "28.02.1990", "5.00")
    assert found.format.report
    assert found.format.delimiter == ","
    # As a spreadsheet program saved it.
    again = await read(report.replace(",", ";").encode("cp1252", "ignore"), **options)
    assert again.cells[0][:3] == ("Zoë", "28.02.1990", "5.00")
    other = await read("start,_id,_line\n1,2,3\n")
    assert (other.format.report, other.names) == (False, ["start", "_id", "_line"])


async def test_an_archive_in_an_archive_is_refused() -> None:
    with pytest.raises(NestedArchiveError, match="unpack it once"):
        await read(gzip.compress(gzip.compress(b"a\n1\n")))
