"""What every command begins with: which server, as whom, and how to write what comes of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.markup import escape

from cli.client import Client
from cli.credentials import CredentialStore
from cli.errors import UsageError
from cli.screen import Screen, Shape

DEFAULT_URL = "http://127.0.0.1:8000"
TOKEN_VARIABLE = "TABULARIUM_TOKEN"  # noqa: S105 - a name
EVERYWHERE = "Everywhere"

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="TABULARIUM_URL",
        help=f"The server; by default that of the last `login`, else {DEFAULT_URL}.",
        show_default=False,
        rich_help_panel=EVERYWHERE,
    ),
]
AsJson = Annotated[
    bool,
    typer.Option(
        "--json",
        help="For scripts: JSON on stdout, problems as JSON on stderr, no progress bars.",
        rich_help_panel=EVERYWHERE,
    ),
]
OutputShape = Annotated[
    Shape | None,
    typer.Option(
        "--output",
        help="How to write the list; in a pipe a table is tab-separated, its cells whole.",
        show_default="table",
        rich_help_panel=EVERYWHERE,
    ),
]
Picked = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="NAMES",
        help="Only these, with commas: headings of the table, or fields of the API (rows.loaded).",
        rich_help_panel=EVERYWHERE,
    ),
]


@dataclass(frozen=True)
class View:
    """The options of a command that shows a list."""

    url: Url = None
    as_json: AsJson = False
    output: OutputShape = None
    columns: Picked = None

    @property
    def shape(self) -> Shape:
        """How the list is written; raises UsageError where `--json` and `--output` disagree."""
        if self.as_json and self.output not in (None, "json"):
            raise UsageError(f"give either --json or --output {self.output}")
        return "json" if self.as_json else self.output or "table"

    @property
    def picked(self) -> list[str] | None:
        """The columns that were asked for, in their order; None for all."""
        if self.columns is None:
            return None
        names = [name.strip() for name in self.columns.split(",")]
        if not all(names):
            raise UsageError(f"--columns: {self.columns!r} has an empty name")
        return names


@dataclass(frozen=True)
class Session:
    """The server as the caller sees it, and the screen."""

    client: Client
    screen: Screen
    store: CredentialStore


@contextmanager
def session(
    url: str | None, *, as_json: bool, patience_s: float | None = None
) -> Iterator[Session]:
    """Open a session; closes its connections at the end.

    `patience_s` is how long an answer may take, where the client's own limit is too long.
    """
    screen = Screen(shape="json" if as_json else "table")
    with _opened(url, screen, patience_s=patience_s) as here:
        yield here


@contextmanager
def viewing(view: View) -> Iterator[Session]:
    """Open a session that shows a list."""
    with _opened(view.url, Screen(shape=view.shape)) as here:
        yield here


@contextmanager
def _opened(
    url: str | None, screen: Screen, *, patience_s: float | None = None
) -> Iterator[Session]:
    store = CredentialStore()
    chosen = (url or store.last_url or DEFAULT_URL).rstrip("/")
    token = os.environ.get(TOKEN_VARIABLE)
    with Client(chosen, store=store, token=token, patience_s=patience_s) as client:
        yield Session(client=client, screen=screen, store=store)


def examples(*lines: str) -> str:
    """An epilog of a command's help, one example per line."""
    return escape("\n".join(("Examples:", *(f"  {line}" for line in lines))))
