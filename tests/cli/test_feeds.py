"""Feeds from the command line."""

import uuid
from pathlib import Path

from tests.cli.conftest import Command


def file_of(folder: Path, content: str) -> str:
    path = folder / "prices.csv"
    path.write_text(content)
    return str(path)


def test_a_feed_from_its_first_to_its_last_day(command: Command, tmp_path: Path) -> None:
    name = f"prices {uuid.uuid4().hex[:8]}"
    table = f"Price{uuid.uuid4().hex[:8]}"
    made = command(
        "feed", "add", name, "-t", table, "-o", "create_table=true", "-o", "delimiter=;",
        "-o", 'types={"sku": "TEXT"}', "--every", "P1D", "--min-rows", "1", "--json",
    ).json  # fmt: skip
    assert (made["health"], made["from"]) == ("new", {"kind": "push"})
    assert made["options"] == {"create_table": True, "delimiter": ";", "types": {"sku": "TEXT"}}
    file = file_of(tmp_path, "sku;price\n7;1.50\n8;2.50\n")
    assert "2 rows inserted" in command("feed", "run", name, file).out
    assert "nothing was done" in command("feed", "run", name, file).out
    shown = command("feed", "show", name)
    assert "unchanged" in shown.out
    assert "ok" in command("feed", "list", "--table", table).out
    assert "paused" in command("feed", "pause", name).out
    assert command("feed", "resume", name, "--json").json["paused"] is False
    command("feed", "reset", name)
    assert "2 rows inserted" in command("feed", "run", name, file).out
    command("feed", "remove", name)
    assert command("feed", "show", name, code=1).out == ""


def test_an_import_is_saved_as_a_feed(command: Command, tmp_path: Path) -> None:
    name, table = f"feed{uuid.uuid4().hex[:8]}", f"Price{uuid.uuid4().hex[:8]}"
    file = file_of(tmp_path, "sku,price\n7,1.50\n")
    done = command("import", file, "-t", table, "--create-table", "--save-as", name)
    assert f"tabularium feed run {name}" in done.out + done.err
    other = file_of(tmp_path, "sku,price\n8,1.50\n")
    assert "1 row inserted" in command("feed", "run", name, other).out


def test_what_does_not_fit_together_is_said(command: Command, tmp_path: Path) -> None:
    for words in (
        ("--from-url", "http://127.0.0.1/a.csv", "--from-source", "1"),
        ("--from-url", "s3://lake/a.csv"),
        ("--header", "a: b"),
        ("--query", "SELECT 1"),
        ("-o", "mode"),
        ("--from-url", "http://127.0.0.1/a.csv", "--header", "nothing"),
    ):
        command("feed", "add", "x", "-t", "y", *words, code=2)
    file = file_of(tmp_path, "a\n1\n")
    command("import", file, "-t", "y", "--save-as", "x", "--dry-run", code=2)


def test_options_that_need_another_are_refused_without_it(command: Command) -> None:
    add = ("feed", "add", "half", "--table", "Any")
    assert "--incremental" in command(*add, "--start", "1", code=2).err
    assert "--cron" in command(*add, "--timezone", "Europe/Paris", "--every-s", "60", code=2).err
    assert "--from-source" in command(*add, "--query", "SELECT 1", code=2).err
    assert "--from-url" in command(*add, "--header", "A: b", code=2).err
