"""Querying and exporting from the command line."""

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tests.cli.conftest import Command
from tests.support.profile import only_in_full
from tests.support.stack import RunningStack

ROWS = (
    "name,age,price,limit\n"
    "Ann,31,12345678901234567.89,1\n"
    "Bob,17,0.10,2\n"
    'Zoë,65,,3\n"=1+1",40,7.00,4\n'
)


@pytest.fixture(scope="module", autouse=True)
def _table(
    stack: RunningStack, admin_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    command = Command(url=stack.url, home=admin_home)
    file = tmp_path_factory.mktemp("rows") / "rows.csv"
    file.write_text(ROWS)
    command(
        *("tables", "create", "Buyers", "name:TEXT", "age:INTEGER", "price:NUMERIC(20,2)"),
        "limit:INTEGER",
    )
    command("import", str(file), "-t", "Buyers")
    yield
    command("tables", "drop", "Buyers", "-y")


def found(command: Command, *words: str) -> list[str]:
    return [item["name"] for item in command("records", "Buyers", "--json", *words).json["items"]]


def test_filters_sort_and_search(command: Command) -> None:
    assert found(command, "age__gte=18", "age__lt=65", "--sort=-age") == ["=1+1", "Ann"]
    assert found(command, "name=Zoë") == ["Zoë"]
    assert found(command, "price__isnull=true") == ["Zoë"]
    assert found(command, "-q", "bo") == ["Bob"]
    assert found(command, "--sort", "age", "--limit", "2", "--page", "2") == ["=1+1", "Zoë"]


def test_a_column_named_like_a_parameter_is_a_column(command: Command) -> None:
    assert found(command, "limit=2") == ["Bob"]


def test_every_digit_is_shown(command: Command) -> None:
    done = command("records", "Buyers", "name__in=Ann,Bob", "--sort=-age", "--count", "exact")
    assert "12345678901234567.89" in done.out
    assert "0.10" in done.out
    assert "2 records of 2" in done.err
    raw = command("records", "Buyers", "name=Ann", "--json").out
    assert "12345678901234567.89" in raw


def test_more_is_announced(command: Command) -> None:
    assert "there are more" in command("records", "Buyers", "--limit", "1").err


def test_a_filter_on_no_column_is_one_line(command: Command) -> None:
    done = command("records", "Buyers", "colour=red", code=1)
    assert "colour" in done.err
    assert len(done.err.splitlines()) == 1
    assert "no filter" in command("records", "Buyers", "colour", code=2).err


def test_export_to_standard_output_and_to_files(command: Command, tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(command("export", "Buyers", "--sort", "id").out)))
    assert [row["price"] for row in rows] == ["12345678901234567.89", "0.10", "", "7.00"]

    command("export", "Buyers", "age__lt=18", "-o", str(tmp_path / "young.ndjson"))
    (line,) = (tmp_path / "young.ndjson").read_text().splitlines()
    assert json.loads(line)["name"] == "Bob"

    file = tmp_path / "all.parquet"
    told = command("export", "Buyers", "-o", str(file), "--json").json
    assert told == {"file": str(file), "format": "parquet", "bytes": file.stat().st_size}
    assert sorted(pl.read_parquet(file)["age"].to_list()) == [17, 31, 40, 65]
    workbook = tmp_path / "all.XLSX"
    command("export", "Buyers", "-o", str(workbook))
    assert zipfile.is_zipfile(workbook)
    assert list(tmp_path.glob("*.part")) == []

    assert len(command("export", "Buyers", "--json").json) == 4


def test_formulas_can_be_neutralised(command: Command) -> None:
    out = command("export", "Buyers", "age=40", "--excel-safe", "--fields", "name").out
    assert "=1+1" in out
    assert not out.splitlines()[1].startswith("=")


def test_a_suffix_that_names_no_format_is_refused(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "all.xls"
    done = command("export", "Buyers", "-o", str(file), code=2)
    assert ".xlsx" in done.err
    assert not file.exists()
    command("export", "Buyers", "-o", str(file), "--format", "csv")
    assert file.read_text().startswith("id,")


def test_a_folder_that_is_not_there_is_a_usage_error(command: Command) -> None:
    done = command("export", "Buyers", "-o", "nowhere/all.csv", code=2)
    assert "cannot be written" in done.err


def test_an_unknown_table_is_one_line_and_leaves_no_file(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "none.csv"
    done = command("export", "Nowhere", "-o", str(file), code=1)
    assert len(done.err.splitlines()) == 1
    assert not file.exists()


@pytest.mark.parametrize("words", [("export", "Buyers"), ("records", "Buyers")])
def test_a_reader_that_goes_away_is_no_drama(command: Command, words: tuple[str, str]) -> None:
    started = command.start(*words)
    assert started.process.stdout is not None
    started.process.stdout.close()
    assert started.process.wait(60) in (0, 1)
    assert started.process.stderr is not None
    assert started.process.stderr.read() in ("", "4 records\n")
    for pipe in (started.process.stdin, started.process.stderr):
        assert pipe is not None
        pipe.close()


@only_in_full
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_written_is_one_line(command: Command) -> None:
    for words in (("records", "Buyers"), ("export", "Buyers"), ("tables", "list", "--json")):
        with Path("/dev/full").open("w") as full:
            started = command.start(*words, stdout=full)
            done = started.end()
        assert done.code == 1
        assert "standard output cannot be written" in done.err.splitlines()[-1]
        assert "Traceback" not in done.err
