"""What people see: tables on stdout, progress and messages on stderr; other shapes for programs."""

import csv
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

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

from cli.exact import exact_json

Shape = Literal["table", "csv", "json", "ndjson"]
"""How a result is written; a `table` is tab-separated where stdout is no terminal."""

LONGEST_CELL = 60
PIPE_WIDTH = 100_000
"""Nothing is wrapped or cut where no terminal says how wide it is."""
# As COPY's text format writes them.
ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


@dataclass(frozen=True, slots=True)
class Branch:
    """A part of a tree: its label, and what hangs from it."""

    label: str
    branches: Sequence["Branch"]


class Screen:
    """Where one command writes; for `json` and `ndjson`, stdout holds JSON and no more."""

    def __init__(self, *, shape: Shape) -> None:
        self.shape = shape
        self.out = Console(highlight=False)
        if not self.out.is_terminal:
            self.out.width = PIPE_WIDTH
        self.err = Console(stderr=True, highlight=False)

    @property
    def as_json(self) -> bool:
        """Whether a program reads stdout as JSON."""
        return self.shape in ("json", "ndjson")

    def raw(self, text: str) -> None:
        """A document as it came from the server, digit for digit."""
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")

    def document(self, value: Any) -> None:
        """A JSON document that was put together here."""
        self.raw(exact_json(value))

    def say(self, line: str) -> None:
        """A message that is not the result; silent for scripts."""
        if not self.as_json:
            self.err.print(escape(line), soft_wrap=True)

    def line(self, text: str) -> None:
        """One line of the result."""
        self.out.print(escape(text), soft_wrap=True)

    def rows(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A result of rows, as a table or as CSV."""
        if self.shape == "csv":
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows([_plain(value) for value in row] for row in rows)
        else:
            self.table(columns, rows)

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None
    ) -> None:
        """Rows under headings; on a terminal long cells are cut and numbers stand to the right.

        Elsewhere every cell is whole: one line for each row, with tabs between the cells; a tab, a
        line's end or a backslash in a cell is escaped as in COPY's text format.
        """
        if not self.out.is_terminal:
            if title is not None:
                self.line(title)
            if any(columns):
                self.raw("\t".join(map(_escaped, columns)))
            for row in rows:
                self.raw("\t".join(map(_escaped, row)))
            return
        kept = [list(row) for row in rows]
        table = Table(title=title, title_justify="left", header_style="bold", box=None)
        for index, name in enumerate(columns):
            numeric = any(_is_number(row[index]) for row in kept)
            table.add_column(escape(name), justify="right" if numeric else "left", overflow="fold")
        for row in kept:
            table.add_row(*(escape(_cell(value)) for value in row))
        self.out.print(table)

    def tree(self, root: Branch) -> None:
        """A tree with its lines; long labels are cut on a terminal."""
        shown = _cell if self.out.is_terminal else _escaped
        tree = Tree(escape(shown(root.label)))
        _grow(tree, root, shown)
        self.out.print(tree)

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
            disable=self.as_json or not self.err.is_interactive,
            transient=True,
        )


def plural(count: int, noun: str) -> str:
    """`1 row`, `1,006 rows`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _grow(tree: Tree, branch: Branch, shown: Any) -> None:
    for each in branch.branches:
        _grow(tree.add(escape(shown(each.label))), each, shown)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, Decimal)) and not isinstance(value, bool)


def _cell(value: object) -> str:
    """A cell for people."""
    text = ("yes" if value else "no") if isinstance(value, bool) else _plain(value)
    # Control characters in a cell must not drive the terminal.
    text = "".join(letter if letter.isprintable() else "·" for letter in text)
    if isinstance(value, int) or len(text) <= LONGEST_CELL:
        return text
    return f"{text[: LONGEST_CELL - 1]}…"


def _plain(value: object) -> str:
    """A cell for programs: a text as it is, nothing for null, everything else as JSON has it."""
    if value is None:
        return ""
    return value if isinstance(value, str) else exact_json(value)


def _escaped(value: object) -> str:
    return _plain(value).translate(ESCAPES)
