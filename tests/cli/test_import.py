"""Imports from the command line: what is told, and the exit codes."""

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.cli.relay import relay_to
from tests.support.profile import only_in_full
from tests.support.stack import RunningStack

GOOD = "name,email,born\nAnn,ann@example.com,2001-02-03\nBob,bob@example.com,\n"
BAD = GOOD + "Eve,eve@example.com,2001-02-30\nAnn,ann@example.com,2001-02-03\n"


@pytest.fixture
def people(command: Command) -> Iterator[str]:
    command("tables", "create", "People", "name:TEXT", "email:TEXT UNIQUE", "born:DATE")
    yield "People"
    command("tables", "drop", "People", "-y")


@pytest.fixture
def good(tmp_path: Path) -> Path:
    file = tmp_path / "people.csv"
    file.write_text(GOOD)
    return file


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    file = tmp_path / "people.csv"
    file.write_text(BAD)
    return file


def names(command: Command, table: str) -> list[str]:
    told = command("records", table, "--json", "--sort", "id").json
    return [item["name"] for item in told["items"]]


def test_a_clean_file_is_success(command: Command, people: str, good: Path) -> None:
    done = command("import", str(good), "--table", people)
    assert "2 rows inserted, none rejected" in done.out
    assert names(command, people) == ["Ann", "Bob"]


def test_rejected_rows_are_shown_and_are_exit_code_3(
    command: Command, people: str, bad: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "rejects.csv"
    done = command("import", str(bad), "-t", people, "--rejects", str(kept), code=3)
    assert "2 rows inserted, 2 rejected" in done.out
    table = [line.split() for line in done.out.splitlines()]
    assert any(line[:3] == ["4", "born", "out_of_range"] for line in table)
    assert any(line[:3] == ["5", "email", "duplicate_in_file"] for line in table)
    assert str(kept) in done.err
    rows = list(csv.DictReader(kept.read_text("utf-8-sig").splitlines()))
    assert [(row["name"], row["_code"]) for row in rows] == [
        ("Eve", "out_of_range"),
        ("Ann", "duplicate_in_file"),
    ]


def test_rejects_can_be_corrected_and_sent_again(
    command: Command, people: str, bad: Path, tmp_path: Path
) -> None:
    told = command("import", str(bad), "-t", people, "--json", code=3).json
    assert told["rows"]["rejected"] == 2
    id_ = str(told["id"])
    kept = tmp_path / "rejects.csv"
    assert str(kept) in command("rejects", id_, "-o", str(kept)).err
    assert command("rejects", id_).out == kept.read_text()
    assert command("rejects", id_, "--excel-safe").out == kept.read_text()  # no formulas in it
    kept.write_text(
        kept.read_text().replace("2001-02-30", "2001-02-28").replace("Ann,ann@", "Ann2,ann2@")
    )
    command("import", str(kept), "-t", people)
    assert names(command, people) == ["Ann", "Bob", "Eve", "Ann2"]
    listed = command("rejects", id_, "--json").json["items"]
    assert {one["line"] for one in listed} == {4, 5}


def test_abort_is_failure_and_loads_nothing(command: Command, people: str, bad: Path) -> None:
    done = command("import", str(bad), "-t", people, "--on-error", "abort", code=1)
    assert "nothing was loaded" in done.out
    assert names(command, people) == []


def test_a_dry_run_tells_and_keeps_nothing(command: Command, people: str, good: Path) -> None:
    done = command("import", str(good), "-t", people, "--dry-run")
    assert "dry run" in done.out
    assert "2 rows inserted" in done.out
    assert names(command, people) == []


def test_upsert_updates_by_key(command: Command, people: str, good: Path) -> None:
    command("import", str(good), "-t", people)
    good.write_text("name,email\nAnne,ann@example.com\nCyd,cyd@example.com\n")
    done = command("import", str(good), "-t", people, "--mode", "upsert", "--key", "email")
    assert "1 row inserted, 1 updated" in done.out
    assert sorted(names(command, people)) == ["Anne", "Bob", "Cyd"]


def test_every_way_of_reading_is_passed_on(command: Command, people: str, tmp_path: Path) -> None:
    file = tmp_path / "odd.csv.gz"
    text = "Nom;courriel;né;x\n'Crème;e';c@example.com;31.12.2001;1\nNil;-;NA;2\n"
    file.write_bytes(gzip.compress(text.encode("cp1252")))
    done = command(
        *("import", str(file), "-t", people, "--delimiter", ";", "--quote", "'"),
        *("--encoding", "cp1252", "--null-values", "NA,-", "--date-format", "%d.%m.%Y"),
        *("--map", "Nom=name", "--map", "courriel=email", "--mapping", '{"né": "born"}'),
        *("--map", "x=", "--etl-name", "odd things", "--json"),
    )
    assert done.json["etl_name"] == "odd things"
    items = command("records", people, "--json", "--sort", "id").json["items"]
    assert [(one["name"], one["email"], one["born"]) for one in items] == [
        ("Crème;e", "c@example.com", "2001-12-31"),
        ("Nil", None, None),
    ]


def test_create_table_tells_what_it_inferred(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "zips.csv"
    file.write_text("zip,city\n00501,Holtsville\n10115,Berlin\n")
    done = command("import", str(file), "-t", "Zips", "--create-table")
    assert "zip: TEXT" in done.err
    assert names_of(command, "Zips", "zip") == ["00501", "10115"]
    command("tables", "drop", "Zips", "-y")


def names_of(command: Command, table: str, column: str) -> list[str]:
    told = command("records", table, "--fields", column, "--sort", "id", "--json").json
    return [item[column] for item in told["items"]]


def test_a_pipe_can_be_imported(command: Command, people: str) -> None:
    told = command("import", "-", "-t", people, "--name", "piped.csv", "--json", typed=GOOD).json
    assert told["rows"]["loaded"] == 2
    assert told["etl_name"] == "piped.csv"


def test_a_refused_file_is_one_line(command: Command, people: str, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("name,nonsense\nA,B\n")
    done = command("import", str(file), "-t", people, code=1)
    told = [line for line in done.err.splitlines() if "nonsense" in line]
    assert len(told) == 1
    assert names(command, people) == []


def test_a_table_that_is_not_there_is_one_line(command: Command, good: Path) -> None:
    done = command("import", str(good), "-t", "Nowhere", code=1)
    assert "Nowhere" in done.err
    assert len(done.err.splitlines()) == 1


def test_what_does_not_fit_together_is_exit_code_2(command: Command, good: Path) -> None:
    assert "FILE or --from-database" in command("import", "-t", "T", code=2).err
    assert "--table" in command("import", str(good), code=2).err
    assert "cannot be read" in command("import", "none.csv", "-t", "T", code=2).err
    assert (
        "--source-table"
        in command("import", str(good), "-t", "T", "--source-table", "a.b", code=2).err
    )
    assert "no JSON" in command("import", str(good), "-t", "T", "--mapping", "x", code=2).err
    assert "append" in command("import", str(good), "-t", "T", "--mode", "merge", code=2).err


def test_submitting_only_and_watching_later(command: Command, people: str, good: Path) -> None:
    told = command("import", str(good), "-t", people, "--no-wait", "--json").json
    assert told["state"] in ("queued", "running", "succeeded")
    done = command("imports", "watch", str(told["id"]))
    assert "2 rows inserted" in done.out
    assert "2 rows inserted" in command("imports", "show", str(told["id"])).out
    listed = command("imports", "list", "--table", people, "--json").json["items"]
    assert told["id"] in [one["id"] for one in listed]
    assert people in command("imports", "list", "--state", "succeeded").out


def test_what_is_over_cannot_be_cancelled(command: Command, people: str, good: Path) -> None:
    told = command("import", str(good), "-t", people, "--json").json
    done = command("imports", "cancel", str(told["id"]), code=1)
    assert len(done.err.splitlines()) == 1
    assert "404" not in done.err
    assert "Traceback" not in done.err


def test_a_failed_import_can_be_retried(command: Command, people: str, bad: Path) -> None:
    told = command("import", str(bad), "-t", people, "--on-error", "abort", "--json", code=1).json
    done = command("imports", "retry", str(told["id"]), code=1)
    assert f"import {told['id']}" in done.out


def test_rejects_are_corrected(command: Command, people: str, bad: Path, tmp_path: Path) -> None:
    kept = tmp_path / "rejects.csv"
    told = command("import", str(bad), "-t", people, "--rejects", str(kept), code=3)
    first = next(line for line in told.out.splitlines() if line.startswith("import ")).split()[1]
    first = first.rstrip(":")
    kept.write_text(kept.read_text().replace("2001-02-30", "2001-02-28"))
    done = command("correct", first, str(kept), code=3)
    assert "1 row inserted, 1 rejected" in done.out
    assert names(command, people) == ["Ann", "Bob", "Eve"]
    kept.write_text(kept.read_text().replace("ann@", "ann2@"))
    assert "1 row inserted, none rejected" in command("correct", first, str(kept)).out
    shown = command("imports", "show", first, "--json").json
    assert (shown["rows"]["rejected"], shown["rows"]["corrected"]) == (0, 2)


def test_a_dry_run_is_committed(command: Command, people: str, bad: Path) -> None:
    told = command("import", str(bad), "-t", people, "--dry-run", code=3)
    assert names(command, people) == []
    commit = next(line for line in told.err.splitlines() if "tabularium commit" in line)
    bad.unlink()
    done = command("commit", commit.split()[-1], code=3)
    assert "2 rows inserted, 2 rejected" in done.out
    assert names(command, people) == ["Ann", "Bob"]
    again = command("commit", commit.split()[-1], code=1)
    assert "has loaded these rows" in again.err
    assert len(again.err.splitlines()) == 1


def many_rows(file: Path, rows: int) -> None:
    file.write_text(
        "name,email,born\n"
        + "".join(f"name {n},mail{n}@example.com,2001-02-03\n" for n in range(rows))
    )


@only_in_full
def test_progress_survives_broken_connections(
    command: Command, people: str, good: Path, stack: RunningStack, tmp_path: Path
) -> None:
    many_rows(good, 200_000)
    with relay_to(command.url, cuts=1) as relay:
        through = Command(url=relay.url, home=tmp_path)
        through.sign_in(stack)
        told = through("import", str(good), "-t", people, "--json").json
    assert told["state"] == "succeeded"
    assert told["rows"]["loaded"] == 200_000
    first, *later = relay.last_event_ids
    assert first is None
    assert later
    assert all(later)


def test_ctrl_c_leaves_the_import_going(
    command: Command, people: str, good: Path, stack: RunningStack, tmp_path: Path
) -> None:
    with relay_to(command.url, hold=True) as relay:
        through = Command(url=relay.url, home=tmp_path)
        through.sign_in(stack)
        started = through.start("import", str(good), "-t", people)
        assert relay.held.wait(30)
        started.interrupt()
        done = started.end()
    assert done.code == 130
    assert "goes on without this command" in done.err
    id_ = done.err.split("tabularium imports watch ")[1].split(",")[0]
    assert command("imports", "watch", id_, "--json").json["rows"]["loaded"] == 2


@only_in_full
def test_ctrl_c_in_the_middle_of_an_upload_imports_nothing(
    command: Command, people: str, stack: RunningStack, tmp_path: Path
) -> None:
    known = command("imports", "list", "--json").json["items"]
    with relay_to(command.url) as relay:
        through = Command(url=relay.url, home=tmp_path)
        through.sign_in(stack)
        started = through.start("import", "-", "-t", people)
        assert started.process.stdin is not None
        started.process.stdin.write(GOOD)
        started.process.stdin.flush()
        assert relay.uploading.wait(30)
        started.interrupt()
        done = started.end()
    assert done.code == 130
    assert "broken off" in done.err
    assert names(command, people) == []
    assert command("imports", "list", "--json").json["items"] == known


def test_a_database_is_imported(command: Command, source: str) -> None:
    done = command(
        *("import", "--from-database", source, "--source-table", "public.orders"),
        *("-t", "Orders", "--create-table"),
        settings={"TABULARIUM_SOURCE_PASSWORD": "for-orders"},
    )
    assert "2 rows inserted" in done.out
    assert names_of(command, "Orders", "item") == ["nails", "Schrauben"]
    command("tables", "drop", "Orders", "-y")


def test_a_wrong_database_password_is_one_plain_line(command: Command, source: str) -> None:
    done = command(
        *("import", "--from-database", source, "--query", "SELECT 1 AS one", "-t", "Orders"),
        "--create-table",
        settings={"TABULARIUM_SOURCE_PASSWORD": "wrong"},
        code=1,
    )
    assert len(done.err.splitlines()) == 1
    assert "Traceback" not in done.err


def test_no_bad_row_is_borne_from_a_database_either(command: Command, source: str) -> None:
    command("tables", "create", "Nails", "item:TEXT", "pieces:INTEGER")
    bad = "SELECT item, CASE item WHEN 'nails' THEN 'many' ELSE '7' END AS pieces FROM orders"
    done = command(
        *("import", "--from-database", source, "--query", bad, "-t", "Nails"),
        *("--max-errors", "0"),
        settings={"TABULARIUM_SOURCE_PASSWORD": "for-orders"},
        code=1,
    )
    assert "nothing was loaded" in done.out
    command("tables", "drop", "Nails", "-y")


def test_a_saved_source_is_imported_by_its_number(command: Command, source: str) -> None:
    password = {"TABULARIUM_SOURCE_PASSWORD": "for-orders"}
    told = command("sources", "add", "the shop", source, "--json", settings=password).json
    id_ = str(told["id"])
    assert "the shop" in command("sources", "list").out
    assert "PostgreSQL" in command("sources", "test", id_).out
    done = command(
        *("import", "--from-database", id_, "-t", "Pieces", "--create-table", "--query"),
        "SELECT item, pieces FROM public.orders WHERE pieces > 10",
    )
    assert "1 row inserted" in done.out
    assert names_of(command, "Pieces", "item") == ["nails"]
    command("tables", "drop", "Pieces", "-y")
    command("sources", "remove", id_)
    left = command("sources", "list", "--json").json["items"]
    assert id_ not in [str(each["id"]) for each in left]


def test_an_import_is_undone_after_a_question(command: Command, people: str, good: Path) -> None:
    told = command("import", str(good), "-t", people, "--json").json
    id_ = str(told["id"])
    asked = command("undo", id_, typed="n\n", code=1)
    assert f"Undo import {id_} into {people}, which loaded 2 rows?" in asked.err
    assert names(command, people) == ["Ann", "Bob"]
    assert "2 records removed" in command("undo", id_, typed="y\n").out
    assert names(command, people) == []
    again = command("undo", id_, "--yes", code=1)
    assert "has undone it already" in again.err


def test_records_that_were_edited_since_stay_where_asked_for(
    command: Command, people: str, good: Path, tmp_path: Path
) -> None:
    id_ = str(command("import", str(good), "-t", people, "--json").json["id"])
    second = tmp_path / "second.csv"
    second.write_text("name,email\nAnna,ann@example.com\n")
    command("import", str(second), "-t", people, "--mode", "upsert", "--key", "email")
    refused = command("undo", id_, "--yes", code=1)
    assert "record 1: overwritten or removed by import" in refused.err
    assert "1 record removed" in command("undo", id_, "--yes", "--edited", "keep").out
    assert names(command, people) == ["Anna"]
