"""A look at a file from the command line."""

from pathlib import Path

from tests.cli.conftest import Command
from tests.support.workbooks import table_xml, xlsx


def test_a_workbook_is_shown_before_it_lands(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "people.xlsx"
    file.write_bytes(xlsx(table_xml([["full name", "n"], ["Ann", 7], ["Bob", None]])))
    shown = command("preview", str(file)).out
    assert "name xlsx" in shown
    assert "2 rows read, all of it" in shown
    assert "full_name ← full name" in shown
    assert "INTEGER" in shown
    lines = [line.split() for line in shown.splitlines()]
    assert ["2", "Ann", "7"] in lines
    seen = command("preview", str(file), "--json", "--rows", "1").json
    assert seen["rows"] == [["Ann", "7"]]


def test_what_would_be_refused_is_shown(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("a,b\n1,2\n1,2,3\n")
    shown = command("preview", str(file)).out
    assert "what would be refused" in shown
    assert "too_many_fields" in shown


def test_a_preview_takes_every_way_of_reading(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "odd.txt"
    file.write_text("~a~b~\nx|1.234,50|31.12.2024\ny|2,00|01.01.2024\nz|3,00\nSum\n")
    ways = [
        *("--header-line", "none", "--footer-lines", "1", "--fill-short", "--comment", "~"),
        *("--delimiter", "|", "--decimal", ",", "--thousands", ".", "--trim", "all"),
        *("--date-format", "%d.%m.%Y", "--numbers", "lenient"),
    ]
    seen = command("preview", str(file), "--json", *ways).json
    assert seen["format"]["footer_lines"] == 1
    assert seen["rows"] == [
        ["x", "1.234,50", "31.12.2024"],
        ["y", "2,00", "01.01.2024"],
        ["z", "3,00", None],
    ]
    assert seen["options"]["decimal"] == ","
