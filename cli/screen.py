"""What people see: tables on stdout, progress and messages on stderr, JSON for scripts."""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Column, Table
from rich.tree import Tree

LONGEST_CELL = 60


@dataclass(frozen=True, slots=True)
class Branch:
    """A part of a tree: its label, and what hangs from it."""

    label: str
    branches: Sequence["Branch"]


class Screen:
    """Where one command writes; with `as_json`, stdout holds one JSON document and no more."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.out = Console(highlight=False, soft_wrap=False)
        self.err = Console(stderr=True, highlight=False)

    def raw(self, text: str) -> None:
        """A document as it came from the server, digit for digit."""
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")

    def document(self, value: Any) -> None:
        """A JSON document that was put together here."""
        self.raw(json.dumps(value, ensure_ascii=False, default=_digits))

    def say(self, line: str) -> None:
        """A message that is not the result; silent for scripts."""
        if not self.as_json:
            self.err.print(escape(line), soft_wrap=True)

    def line(self, text: str) -> None:
        """One line of the result."""
        self.out.print(escape(text), soft_wrap=True)

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None
    ) -> None:
        """Rows under headings; long cells are cut, numbers stand to the right."""
        kept = [list(row) for row in rows]
        table = Table(title=title, title_justify="left", header_style="bold", box=None)
        for index, name in enumerate(columns):
            numeric = any(_is_number(row[index]) for row in kept)
            table.add_column(escape(name), justify="right" if numeric else "left", overflow="fold")
        for row in kept:
            table.add_row(*(escape(_cell(value)) for value in row))
        self.out.print(table)

    def tree(self, root: Branch) -> None:
        """A tree with its lines; long labels are cut."""
        self.out.print(_grown(Tree(escape(_cell(root.label))), root))

    def progress(self, *, sending: bool) -> Progress:
        """A bar in bytes on a terminal; nothing where nobody looks."""
        rate: list[ProgressColumn] = (
            [TransferSpeedColumn(), TimeRemainingColumn()]
            if sending
            else [TextColumn("{task.fields[rows]}"), TimeElapsedColumn()]
        )
        return Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            DownloadColumn(table_column=Column(no_wrap=True)),
            *rate,
            console=self.err,
            disable=self.as_json or not self.err.is_terminal,
            transient=True,
        )


def _grown(tree: Tree, branch: Branch) -> Tree:
    for each in branch.branches:
        _grown(tree.add(escape(_cell(each.label))), each)
    return tree


def plural(count: int, noun: str) -> str:
    """`1 row`, `1,006 rows`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _is_number(value: object) -> bool:
    return isinstance(value, (int, Decimal)) and not isinstance(value, bool)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    text = value if isinstance(value, str) else _compact(value)
    # Control characters in a cell must not drive the terminal.
    text = "".join(letter if letter.isprintable() else "·" for letter in text)
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"


def _compact(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    return json.dumps(value, ensure_ascii=False, default=_digits)


def _digits(value: object) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} is no JSON")
