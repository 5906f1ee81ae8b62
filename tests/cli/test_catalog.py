"""The catalog from the command line."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import PATIENCE_S, Command
from tests.support.stack import RunningStack
from tests.support.waiting import until_now


@pytest.fixture(scope="module", autouse=True)
def _edge(stack: RunningStack, admin_home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    command = Command(url=stack.url, home=admin_home)
    file = tmp_path_factory.mktemp("rows") / "rows.csv"
    file.write_text("name\nAnn\n")
    command("tables", "create", "Fed", "name:TEXT")
    command("import", str(file), "-t", "Fed", "--etl-name", "crm/nightly load")
    until_now(  # the edge follows the commit
        "the edge",
        lambda: "crm/nightly load" in command("catalog", "etls").out,
        timeout_s=PATIENCE_S,
    )


def test_etls_and_their_tables(command: Command) -> None:
    etls = command("catalog", "etls", "-q", "crm/nightly", "--json").json["items"]
    assert [one["name"] for one in etls] == ["crm/nightly load"]
    told = command("catalog", "etl", "crm/nightly load", "--json").json
    assert told["tables"] == [{"name": "Fed", "schema": "data"}]
    assert "Fed" in command("catalog", "etl", "crm/nightly load").out
    as_csv = command("catalog", "etl", "crm/nightly load", "--output", "csv").out
    assert as_csv.splitlines() == ["schema,table", "data,Fed"]


def test_tables_of_the_catalog(command: Command) -> None:
    tables = command("catalog", "tables", "-q", "Fed", "--json").json["items"]
    assert [(one["schema"], one["name"]) for one in tables] == [("data", "Fed")]
    assert "Fed" in command("catalog", "tables").out


def test_the_graph(command: Command, tmp_path: Path) -> None:
    assert "crm/nightly load" in command("catalog", "graph", "--table", "data.Fed").out
    told = command("catalog", "graph", "--etl", "crm/nightly load", "--json")
    assert json.loads(told.out)["nodes"]
    drawing = tmp_path / "graph.svg"
    command("catalog", "graph", "-o", str(drawing))
    assert drawing.read_text().lstrip().startswith(("<svg", "<?xml"))


def test_lineage_is_drawn_as_a_tree(command: Command, tmp_path: Path) -> None:
    drawn = command("lineage", "data.Fed").out.splitlines()
    assert [line.strip() for line in drawn] == ["data.Fed", "└── made of", "└── [crm/nightly load]"]
    assert command("lineage", "data.Fed", "--up").out.splitlines() == drawn
    alone = command("lineage", "data.Fed", "--down")
    assert alone.out.splitlines() == ["data.Fed"]
    assert "nothing is known" in alone.err
    assert "makes" in command("lineage", "--etl", "crm/nightly load").out
    assert command("lineage", "data.Fed", "--json").json["root"] == "t1"
    drawing = tmp_path / "lineage.svg"
    command("lineage", "data.Fed", "-o", str(drawing))
    assert drawing.read_text().lstrip().startswith(("<svg", "<?xml"))
    assert command("lineage", "data.Fed", "--format", "mermaid").out.startswith("flowchart LR")
    command("lineage", code=2)
    assert len(command("lineage", "no.such", code=1).err.splitlines()) == 1


def test_a_cycle_is_shown_once(command: Command, stack: RunningStack) -> None:
    with stack.signed_in() as http:
        for number, (source, target) in enumerate((("a", "b"), ("b", "a"))):
            event = {
                "eventTime": "2026-11-28T21:22:58Z",
                "eventType": "COMPLETE",
                "run": {"runId": f"cycle {number}"},
                "job": {"namespace": "", "name": f"{source} to {target}"},
                "inputs": [{"namespace": "ring", "name": source}],
                "outputs": [{"namespace": "ring", "name": target}],
            }
            assert http.post("/api/v1/lineage", json=event).status_code == 200

    def drawn() -> list[str] | None:
        lines = command("lineage", "a", "--down", "--namespace", "ring").out.splitlines()
        return lines if len(lines) > 5 else None

    until_now("the events are applied", drawn, bearing=(AssertionError,))
    lines = command("lineage", "a", "--down", "--namespace", "ring").out.splitlines()
    assert [line.lstrip("│└─ ") for line in lines] == [
        "a",
        "makes",
        "[a to b]",
        "b",
        "[b to a]",
        "a (see above)",
    ]


def test_search(command: Command, stack: RunningStack) -> None:
    with stack.signed_in() as http:
        tags = {"tags": ["gold standard"]}
        assert http.patch("/api/catalog/tables/data/Fed", json=tags).status_code == 200
    hits = command("search", "gold", "standard", "--json").json["items"]
    assert [(hit["kind"], hit["name"]) for hit in hits] == [("table", "Fed")]
    assert "data.Fed" in command("search", "gold").out


def test_an_unknown_etl_is_one_line(command: Command) -> None:
    assert len(command("catalog", "etl", "nobody", code=1).err.splitlines()) == 1


def test_the_profile_of_a_table_and_of_an_import(command: Command, tmp_path: Path) -> None:
    shown = command("profile", "Fed")
    assert "name" in shown.out
    assert "Ann 100%" in shown.out
    assert "1 row" in shown.err
    profile = command("profile", "data.Fed", "--json").json
    assert profile["columns"][0]["common"] == [{"value": "Ann", "count": 1}]
    number = str(profile["import"])
    assert command("profile", "--import", number, "--json").json == profile
    drawing = tmp_path / "fed.svg"
    command("profile", "Fed", "--import", number, "-o", str(drawing))
    assert drawing.read_text().startswith("<svg")
    assert command("profile", code=2).err.startswith("tabularium: name a table")
    assert command("profile", "Unheard", code=1).err


def test_the_report_of_an_import(command: Command, tmp_path: Path) -> None:
    number = command("profile", "Fed", "--json").json["import"]
    file = tmp_path / "report.html"
    assert "is written" in command("report", str(number), "-o", str(file)).err
    assert f"Import {number} succeeded" in file.read_text()
