"""Every session of ours says in PostgreSQL whose it is: `tabularium-<service>:<what>`."""

import ast
import re
from collections.abc import Iterator

from deploy.local.environment import ROOT

NAME = re.compile(r"tabularium-(auth|catalog|records|ingest):[a-z-]+")
PACKAGES = ("services", "shared", "gateway", "migrations", "deploy")


def literal_names() -> Iterator[tuple[str, str]]:
    """(`file:line`, text) of each application name that stands in our code."""
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                value: ast.expr | None = None
                if isinstance(node, ast.keyword) and node.arg == "application_name":
                    value = node.value
                elif isinstance(node, ast.Dict):
                    value = next(
                        (
                            each
                            for key, each in zip(node.keys, node.values, strict=True)
                            if isinstance(key, ast.Constant) and key.value == "application_name"
                        ),
                        None,
                    )
                if isinstance(value, ast.Constant):
                    yield f"{file.relative_to(ROOT)}:{value.lineno}", str(value.value)


def test_application_names_tell_the_service_and_what_it_does() -> None:
    names = list(literal_names())
    assert len(names) >= 5
    assert [where for where, name in names if not NAME.fullmatch(name)] == []
