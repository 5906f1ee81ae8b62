"""Lists for programs: tab-separated in pipes, CSV, JSON and NDJSON, with the columns one picks."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.support.stack import RunningStack

NOTE = "a note that is much longer than any cell that a terminal would show whole, to its end"


@pytest.fixture(scope="module", autouse=True)
def _tables(
    stack: RunningStack, admin_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    command = Command(url=stack.url, home=admin_home)
    command("tables", "create", "Shapes", "name:TEXT", "area:NUMERIC(30,5)", "--description", NOTE)
    file = tmp_path_factory.mktemp("rows") / "shapes.csv"
    file.write_text('name,area\n"round\tand\nred",1234567890123456789.12345\n"a,b",\n')
    command("import", str(file), "-t", "Shapes", "--etl-name", "shapes of test_output")
    yield
    command("tables", "drop", "Shapes", "-y")


def test_a_pipe_gets_whole_cells_between_tabs(command: Command) -> None:
    heading, *rows = command("tables", "list").out.splitlines()
    assert heading.split("\t")[:2] == ["table", "columns"]
    (row,) = [row.split("\t") for row in rows if row.startswith("Shapes\t")]
    assert (row[1], row[-1]) == ("2", NOTE)


def test_tabs_and_line_ends_in_records_do_not_break_the_lines(command: Command) -> None:
    records = ("records", "Shapes", "--sort", "id", "--columns", "area,name")
    assert command(*records).out.splitlines() == [
        "area\tname",
        "1234567890123456789.12345\tround\\tand\\nred",
        "\ta,b",
    ]
    first, _ = command(*records, "--json").json["items"]
    assert first.keys() == {"area", "name"}


def test_csv_is_what_a_csv_reader_reads(command: Command) -> None:
    out = command("records", "Shapes", "--sort", "id", "--output", "csv").out
    rows = list(csv.DictReader(io.StringIO(out, newline="")))
    assert [(row["name"], row["area"]) for row in rows] == [
        ("round\tand\nred", "1234567890123456789.12345"),
        ("a,b", ""),
    ]
    listed = command("tables", "list", "--output", "csv").out
    (shapes,) = [row for row in csv.DictReader(io.StringIO(listed)) if row["table"] == "Shapes"]
    assert shapes["description"] == NOTE


def test_ndjson_has_one_document_for_each_item(command: Command) -> None:
    first, second = command(
        "records", "Shapes", "--sort", "id", "--output", "ndjson"
    ).out.splitlines()
    assert '"area": 1234567890123456789.12345' in first
    assert json.loads(second)["area"] is None
    lines = command("tables", "list", "--output", "ndjson").out.splitlines()
    assert "Shapes" in {json.loads(line)["name"] for line in lines}


def test_fields_of_the_api_can_be_picked_as_columns(command: Command) -> None:
    picked = ("imports", "list", "--table", "Shapes", "--columns", "etl,rows.loaded,error.code")
    assert command(*picked).out.splitlines() == [
        "etl\trows.loaded\terror.code",
        "shapes of test_output\t2\t",
    ]
    fields = ("imports", "list", "--table", "Shapes", "--columns", "rows.loaded,error")
    assert json.loads(command(*fields, "--output", "ndjson").out) == {
        "rows.loaded": 2,
        "error": None,
    }
    (item,) = command(*fields, "--json").json["items"]
    assert item == {"rows.loaded": 2, "error": None}


def test_a_column_that_is_not_there_is_refused_with_the_nearest(command: Command) -> None:
    done = command("imports", "list", "--columns", "id,stat", code=2)
    assert "'stat', did you mean 'state'?" in done.err
    done = command("tables", "list", "--columns", "nmae", "--output", "json", code=2)
    assert json.loads(done.err)["detail"].startswith(
        "--columns: there is no column 'nmae', did you mean 'name'?"
    )
    assert "empty name" in command("tables", "list", "--columns", "name,", code=2).err


def test_shapes_that_contradict_each_other_are_refused(command: Command) -> None:
    assert "--output csv" in command("tables", "list", "--json", "--output", "csv", code=2).err
    done = command("records", "Shapes", "--fields", "name", "--columns", "name", code=2)
    assert "either" in done.err


def test_problems_are_json_where_the_result_would_be(command: Command) -> None:
    done = command("records", "Nowhere_at_all", "--output", "ndjson", code=1)
    assert json.loads(done.err)["status"] == 404
