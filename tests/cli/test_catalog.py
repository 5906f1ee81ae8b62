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


def test_an_unknown_etl_is_one_line(command: Command) -> None:
    assert len(command("catalog", "etl", "nobody", code=1).err.splitlines()) == 1
