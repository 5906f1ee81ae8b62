"""Tables from the command line."""

import json
from pathlib import Path

from tests.cli.conftest import Command


def test_a_table_from_words_is_listed_shown_and_dropped(command: Command) -> None:
    made = command(
        *("tables", "create", "Cities", "name:TEXT NOT NULL", "code:VARCHAR(3) UNIQUE"),
        *("--description", "where people live"),
    )
    assert "VARCHAR(3)" in made.out
    listed = {one["name"]: one for one in command("tables", "list", "--json").json["items"]}
    assert listed["Cities"]["description"] == "where people live"
    assert "Cities" in command("tables", "list").out
    shown = {
        one["name"]: one for one in command("tables", "show", "Cities", "--json").json["columns"]
    }
    assert (shown["name"]["nullable"], shown["name"]["unique"]) == (False, False)
    assert (shown["code"]["type"], shown["code"]["unique"]) == ("VARCHAR(3)", True)
    assert "dropped Cities" in command("tables", "drop", "Cities", "--yes").err
    assert "Cities" in command("tables", "show", "Cities", code=1).err


def test_a_table_from_json(command: Command, tmp_path: Path) -> None:
    columns = [{"name": "größe", "type": "NUMERIC(10,2)", "nullable": False}]
    told = command("tables", "create", "Maße", "--columns", json.dumps(columns), "--json").json
    assert told["name"] == "Maße"
    assert told["columns"][0]["type"] == "NUMERIC(10,2)"

    file = tmp_path / "columns.json"
    file.write_text(json.dumps(columns))
    command("tables", "create", "FromFile", "--columns", str(file))
    command("tables", "create", "FromPipe", "--columns", "-", typed=json.dumps(columns))
    for name in ("Maße", "FromFile", "FromPipe"):
        command("tables", "drop", name, "-y")


def test_a_table_from_a_json_schema(command: Command) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    told = command("tables", "create", "OfSchema", "--json-schema", json.dumps(schema), "--json")
    assert [one["name"] for one in told.json["columns"]] == ["name"]
    command("tables", "drop", "OfSchema", "-y")


def test_rules_and_keys_are_shown_and_changed(command: Command) -> None:
    words = ("day:DATE DEFAULT today()", "campaign:TEXT", "clicks:INTEGER")
    made = command("tables", "create", "Ads", *words, "--unique", "day, campaign")
    assert "unique together: day, campaign" in made.err
    assert "today()" in made.out
    rules = {"alter": [{"name": "clicks", "rules": {"min": 0, "enum": [0, 5]}}]}
    changed = command("tables", "alter", "Ads", json.dumps(rules))
    assert "min 0, enum [0, 5]" in changed.out
    dropped = {"unique": {"drop": [["day", "campaign"]]}}
    told = command("tables", "alter", "Ads", "-", "--json", typed=json.dumps(dropped)).json
    assert (told["unique"], told["columns"][2]["rules"]["min"]) == ([], 0)
    columns = [
        {"name": "a", "type": "DATE"},
        {"name": "b", "type": "TEXT"},
        {"name": "ad", "type": "BIGINT", "rules": {"references": {"table": "Ads"}}},
    ]
    more = ("--columns", json.dumps(columns), "--unique", "a,b")
    shown = command("tables", "create", "Clicks", *more)
    assert "unique together: a, b" in shown.err
    assert "references Ads.id" in shown.out
    assert "Clicks" in command("tables", "drop", "Ads", "-y", code=1).err
    for name in ("Clicks", "Ads"):
        command("tables", "drop", name, "-y")


def test_what_a_json_schema_loses_is_said(command: Command) -> None:
    schema = {"properties": {"n": {"type": "integer", "multipleOf": 5, "minimum": 0}}}
    given = ("tables", "create", "OfTens", "--json-schema", json.dumps(schema))
    refused = command(*given, code=1)
    assert "properties.n.multipleOf" in refused.err
    made = command(*given, "--unsupported", "ignore")
    assert "left out of the schema: properties.n.multipleOf" in made.err
    assert "min 0" in made.out
    command("tables", "drop", "OfTens", "-y")


def test_dropping_asks_first(command: Command) -> None:
    command("tables", "create", "Asked", "name:TEXT")
    command("tables", "drop", "Asked", typed="n\n", code=1)
    assert command("tables", "show", "Asked", "--json").json["name"] == "Asked"
    command("tables", "drop", "Asked", typed="y\n")
    command("tables", "show", "Asked", code=1)


def test_a_type_that_is_none_is_one_line_with_the_field(command: Command) -> None:
    done = command("tables", "create", "Wrong", "name:TEXT", "age:TXET", code=1)
    (line,) = done.err.splitlines()
    assert line.startswith("tabularium: ")
    assert "age" in line
    assert "TXET" in line


def test_scripts_get_the_problem_document(command: Command) -> None:
    done = command("tables", "create", "Wrong", "age:TXET", "--json", code=1)
    problem = json.loads(done.err)
    assert problem["status"] == 422
    assert problem["errors"]
    assert done.out == ""


def test_columns_that_do_not_fit_together_are_a_usage_error(command: Command) -> None:
    assert "name:TYPE" in command("tables", "create", "T", "name", code=2).err
    assert "twice" in command("tables", "create", "T", "a:TEXT", "a:TEXT", code=2).err
    assert "once" in command("tables", "create", "T", code=2).err
    assert "no JSON" in command("tables", "create", "T", "--columns", "[{", code=2).err
    assert (
        "cannot be read" in command("tables", "create", "T", "--columns", "none.json", code=2).err
    )


def test_a_table_is_altered_by_options(command: Command) -> None:
    command("tables", "create", "Before", "name:TEXT", "fax:TEXT", "zip:INTEGER", "day:DATE")
    altered = command(
        *("tables", "alter", "Before", "--add", "age:SMALLINT", "--not-null", "age"),
        *("--default", "age=18", "--default", "day=today()", "--drop", "fax", "--type", "zip=TEXT"),
        *("--rename-column", "name=full_name", "--unique", "name", "--unique", "zip, day"),
        *("--rename", "After", "--description", "who is who", "--json"),
    ).json
    assert (altered["name"], altered["description"]) == ("After", "who is who")
    columns = {column["name"]: column for column in altered["columns"]}
    assert columns.keys() == {"full_name", "zip", "day", "age"}
    assert (columns["age"]["nullable"], columns["age"]["default"]) == (False, 18)
    assert columns["day"]["default"] == {"call": "today"}
    assert (columns["zip"]["type"], columns["full_name"]["unique"]) == ("TEXT", True)
    assert altered["unique"] == [["zip", "day"]]
    again = ("--nullable", "age", "--no-default", "age", "--not-unique", "zip,day")
    undone = command("tables", "alter", "After", *again, "--not-unique", "full_name", "--json").json
    columns = {column["name"]: column for column in undone["columns"]}
    assert (columns["age"]["nullable"], columns["age"]["default"]) == (True, None)
    assert (undone["unique"], columns["full_name"]["unique"]) == ([], False)
    command("tables", "drop", "After", "-y")


def test_alterations_that_do_not_fit_together_are_a_usage_error(command: Command) -> None:
    alter = ("tables", "alter", "Any")
    assert "say what" in command(*alter, code=2).err
    assert "say what" in command(*alter, "{}", "--drop", "a", code=2).err
    assert "--unique" in command(*alter, "--add", "a:TEXT UNIQUE", code=2).err
    assert "NAME:TYPE" in command(*alter, "--add", "a", code=2).err
    assert "two sides" in command(*alter, "--type", "a", code=2).err
    both = ("--nullable", "a", "--not-null", "a")
    assert "nullable of 'a'" in command(*alter, *both, code=2).err
