"""docs/security.md names tests as its evidence: each of them is there."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = re.compile(r"`([a-z_/0-9]+\.py)::(test_[a-z_0-9]+)`")


def test_every_test_that_is_named_exists() -> None:
    references = REFERENCE.findall((ROOT / "docs" / "security.md").read_text())
    assert len(references) > 80
    missing = [
        f"{file}::{name}"
        for file, name in references
        if name not in functions_in(ROOT / "tests" / file)
    ]
    assert not missing


def functions_in(file: Path) -> set[str]:
    if not file.exists():
        return set()
    tree = ast.parse(file.read_text())
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    return {node.name for node in tree.body if isinstance(node, functions)}
