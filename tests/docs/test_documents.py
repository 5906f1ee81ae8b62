"""What README and the guide show is what a reader gets: each block is run against a fresh stack.

A fenced `sh` block is run by bash; a `json`, `csv` or `text` block right behind it is what it must
print, where `…` stands for anything. A block that only reads is run again until that is so, because
an import ends a moment after it was accepted.
"""

import asyncio
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from deploy.local.environment import ROOT
from deploy.local.postgresql import Cluster
from tests.support.stack import RunningStack, running_stack

PATIENCE_S = 20.0
DOCUMENTS = [name for name in ("README.md", "docs/guide.md") if (ROOT / name).exists()]
WRITES = (" -d ", " -F ", " -X ", "tabularium import", "tabularium login")
SHOP = """
CREATE TABLE products (sku text PRIMARY KEY, name text, price numeric(8, 2));
INSERT INTO products VALUES ('p1', 'pen', 1.20), ('p2', 'pad', 3.50), ('p3', 'pin', 0.10);
GRANT SELECT ON products TO webreader;
"""
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Step:
    """A command, and what it must print (None: anything)."""

    line: int
    command: str
    output: str | None


def steps(document: str) -> list[Step]:
    text = (ROOT / document).read_text()
    found: list[Step] = []
    for match in BLOCK.finditer(text):
        kind, body = match.groups()
        line = text.count("\n", 0, match.start()) + 1
        if kind == "sh":
            found.append(Step(line, body, None))
        elif kind in ("json", "csv", "text") and found and found[-1].output is None:
            found[-1] = Step(found[-1].line, found[-1].command, body)
    return found


def pattern(output: str) -> re.Pattern[str]:
    lines = "\n".join(line.rstrip() for line in output.strip().splitlines())
    parts = [re.escape(part.strip(" ")) for part in lines.split("…")]
    return re.compile(r"\s*.*?\s*".join(parts), re.DOTALL)


@pytest.fixture(scope="module")
def shop_port(cluster: Cluster) -> int:
    """The guide's other database: a server of its own, at port 5433 in the text."""

    async def make() -> None:
        for database, statement in (
            ("postgres", "CREATE ROLE webreader LOGIN PASSWORD 'reader-password'"),
            ("postgres", "CREATE DATABASE webshop"),
            ("webshop", SHOP),
        ):
            connection = await asyncpg.connect(cluster.url(database=database))
            await connection.execute(statement)
            await connection.close()

    asyncio.run(make())
    return cluster.port


@pytest.fixture(params=DOCUMENTS)
def fresh(
    request: pytest.FixtureRequest, state_folder: Path
) -> Iterator[tuple[str, RunningStack, Path]]:
    document: str = request.param
    name = document.replace("/", "-").removesuffix(".md")
    with running_stack(state_folder / f"doc-{name}") as stack:
        folder = state_folder / f"reader-{name}"
        folder.mkdir()
        (folder / "var").symlink_to(stack.state)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        yield document, stack, folder


def test_every_block_gives_what_the_document_shows(
    fresh: tuple[str, RunningStack, Path], shop_port: int
) -> None:
    document, stack, folder = fresh
    before = "set -e\n"
    shown = 0
    for step in steps(document):
        command = step.command.replace("http://127.0.0.1:8000", stack.url)
        command = command.replace("5433", str(shop_port))
        if command.startswith("export "):
            before += command
            continue
        deadline = time.monotonic() + PATIENCE_S
        while True:
            done = subprocess.run(
                ["bash", "-c", before + command],
                cwd=folder,
                env={
                    "PATH": "/usr/local/bin:/usr/bin:/bin",
                    "HOME": str(folder),
                    "LANG": "C.UTF-8",
                },
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,  # a terminal shows both
                text=True,
                check=False,
                timeout=60,
            )
            printed = "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())
            printed = printed.replace(stack.url, "http://127.0.0.1:8000")
            fits = step.output is None or pattern(step.output).fullmatch(printed)
            if done.returncode == 0 and fits:
                break
            where = f"{document}:{step.line}"
            told = f"{where}\nprinted:\n{printed}"
            assert not any(word in command for word in WRITES), told
            assert time.monotonic() < deadline, told
            time.sleep(0.3)  # polls a condition
        shown += step.output is not None
    assert shown >= 5
