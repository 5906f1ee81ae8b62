"""A table of ingest is read and written in the room that owns it, and nowhere else."""

import ast
import re
from pathlib import Path

import pytest

from tests.support.profile import only_in_full

SERVICE = Path(__file__).resolve().parents[2] / "services" / "ingest"
OWNERS = {
    "imports": "runs",
    "rejects": "runs",
    "reads": "runs",
    "profiles": "runs",
    "sources": "connections",
    "webhook_deliveries": "webhooks",
}


def modules_outside(room: str) -> list[Path]:
    return [
        path
        for path in sorted(SERVICE.rglob("*.py"))
        if path.relative_to(SERVICE).parts[0] != room and path.name != "tables.py"
    ]


def imported_from_tables(source: str) -> set[str]:
    return {
        alias.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and (node.module or "").endswith(".tables")
        for alias in node.names
    }


@only_in_full
@pytest.mark.parametrize(("table", "room"), OWNERS.items())
def test_a_table_has_one_owner(table: str, room: str) -> None:
    spelled = re.compile(rf"\bingest\.{table}\b")
    modules = modules_outside(room)
    assert len(modules) > 40
    trespassing = [
        str(path.relative_to(SERVICE))
        for path in modules
        if table in imported_from_tables(source := path.read_text())
        or spelled.search(_without_docstrings(source))
    ]
    assert trespassing == []


def _without_docstrings(source: str) -> str:
    """The code alone, for words that prose may use."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant(value=None)
    return ast.unparse(tree)
