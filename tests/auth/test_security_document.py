"""docs/security.md names tests as its evidence: each of them is there, and every row has some."""

import ast
import re
from pathlib import Path

from tests.support.profile import only_in_full

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "security.md").read_text()
REFERENCE = re.compile(r"`([a-z_/0-9]+\.py)::(test_[a-z_0-9]+)`")
ROW = re.compile(r"^\| ((?:API|V)\d+) .*\|([^|]*)\|$", re.MULTILINE)
CHAPTERS = {f"API{number}" for number in range(1, 11)} | {f"V{number}" for number in range(1, 17)}


@only_in_full
def test_every_test_that_is_named_exists() -> None:
    references = REFERENCE.findall(DOCUMENT)
    assert len(references) > 80
    missing = [
        f"{file}::{name}"
        for file, name in references
        if name not in functions_in(ROOT / "tests" / file)
    ]
    assert not missing


def test_every_row_names_tests_and_nothing_else() -> None:
    rows = ROW.findall(DOCUMENT)
    assert len(rows) == len(CHAPTERS)
    assert {chapter for chapter, _ in rows} == CHAPTERS
    for chapter, shown_by in rows:
        named = [part.strip() for part in shown_by.split(",")]
        assert named, chapter
        assert [part for part in named if not REFERENCE.fullmatch(part)] == [], chapter


def functions_in(file: Path) -> set[str]:
    """The tests that pytest collects from a file, by its rules for names."""
    if not (file.exists() and file.name.startswith("test_")):
        return set()
    tree = ast.parse(file.read_text())
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    return {node.name for node in tree.body if isinstance(node, functions)}
