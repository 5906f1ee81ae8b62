"""Records inserted, changed and deleted from the command line."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Command


@pytest.fixture
def pets(command: Command) -> Iterator[str]:
    words = ("name:TEXT UNIQUE", "age:INTEGER", "weight:NUMERIC(20,10)", "tags:JSON", "born:DATE")
    command("tables", "create", "Pets", *words)
    yield "Pets"
    command("tables", "drop", "Pets", "-y")


def names(command: Command) -> list[str]:
    listed = command("records", "Pets", "--json", "--sort", "id").json["items"]
    return [item["name"] for item in listed]


def test_texts_are_read_by_the_columns_types(command: Command, pets: str) -> None:
    values = ("name=Rex=1", "age=7", "weight:=3.1234567890", 'tags:=["a", 1.50]', "born=2019-02-03")
    made = command("insert", pets, *values, "--json")
    record = made.json
    assert (record["name"], record["age"], record["born"]) == ("Rex=1", 7, "2019-02-03")
    assert '"weight":3.1234567890' in made.out.replace(" ", "")
    shown = command("insert", pets, "name=Mia", "age:=null").out.splitlines()
    assert shown[1].split("\t")[1] == "Mia"


def test_a_value_that_does_not_fit_is_one_line_with_its_column(command: Command, pets: str) -> None:
    (line,) = command("insert", pets, "name=Rex", "age=seven", code=1).err.splitlines()
    assert "age" in line
    assert "no value" in command("insert", pets, "name", code=2).err
    assert "twice" in command("insert", pets, "age=1", "age=2", code=2).err
    assert "no JSON" in command("insert", pets, "age:=seven", code=2).err
    assert "give the record" in command("insert", pets, code=2).err


def test_lists_of_records_are_all_or_nothing(command: Command, pets: str, tmp_path: Path) -> None:
    file = tmp_path / "pets.json"
    file.write_text(json.dumps([{"name": "Rex"}, {"name": "Mia", "weight": 1.5}]))
    assert "2 inserted, 0 updated" in command("insert", pets, "--records", str(file)).out
    refused = '[{"name": "Tom"}, {"name": "Rex"}]'
    assert "[1]" in command("insert", pets, "--records", "-", typed=refused, code=1).err
    assert names(command) == ["Rex", "Mia"]
    upsert = ("--on-conflict", "update", "--key", "name")
    told = command("insert", pets, "--records", refused, *upsert).out
    assert "1 inserted, 1 updated" in told
    assert command("insert", pets, "name=Tom", "age=3", *upsert, "--json").json["age"] == 3


def test_one_record_is_changed(command: Command, pets: str) -> None:
    id_ = str(command("insert", pets, "name=Rex", "age=7", "--json").json["id"])
    changed = command("update", pets, id_, "name=Max", "age:=null", "--json").json
    assert (changed["name"], changed["age"]) == ("Max", None)
    done = command("update", pets, id_, "age=1", "--if-match", '"0-0-0"', code=1)
    assert len(done.err.splitlines()) == 1
    assert "--where" in command("update", pets, "name=Tom", code=2).err
    assert "--where" in command("update", pets, id_, code=2).err


def test_what_filters_select_is_changed_after_a_question(command: Command, pets: str) -> None:
    for name, age in (("Rex", 7), ("Mia", 8), ("Tom", 1)):
        command("insert", pets, f"name={name}", f"age={age}")
    old = ("--where", "age__gte=7")
    asked = command("update", pets, *old, "born=2000-01-01", typed="n\n", code=1)
    assert "Change 2 records of Pets?" in asked.err
    assert "2 records updated" in command("update", pets, *old, "age=9", "--yes").out
    both = ("--where", "age=9", "--where", "name=Rex")
    assert command("update", pets, *both, "age=10", "-y", "--json").json == {"updated": 1}
    asked = command("delete", pets, *old, typed="y\n")
    assert "Delete 2 records of Pets?" in asked.err
    assert names(command) == ["Tom"]
    assert "--if-match" in command("update", pets, *old, "a=1", "--if-match", "x", code=2).err


def test_records_are_deleted_by_their_ids(command: Command, pets: str) -> None:
    ids = [str(command("insert", pets, f"name={n}", "--json").json["id"]) for n in "abc"]
    assert "2 records deleted" in command("delete", pets, *ids[:2]).out
    done = command("delete", pets, ids[0], ids[2], code=1)
    assert "1 of 2 ids were not there" in done.err
    assert names(command) == []
    assert "which records" in command("delete", pets, code=2).err
