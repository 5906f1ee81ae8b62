"""What every command begins with: which server, as whom, and where to write."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.markup import escape

from cli.client import Client
from cli.credentials import CredentialStore
from cli.screen import Screen

DEFAULT_URL = "http://127.0.0.1:8000"
TOKEN_VARIABLE = "TABULARIUM_TOKEN"  # noqa: S105 - a name

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="TABULARIUM_URL",
        help=f"The server; by default that of the last `login`, else {DEFAULT_URL}.",
        show_default=False,
        rich_help_panel="Everywhere",
    ),
]
AsJson = Annotated[
    bool,
    typer.Option(
        "--json",
        help="For scripts: JSON on stdout, problems as JSON on stderr, no progress bars.",
        rich_help_panel="Everywhere",
    ),
]


@dataclass(frozen=True)
class Session:
    """The server as the caller sees it, and the screen."""

    client: Client
    screen: Screen
    store: CredentialStore


@contextmanager
def session(url: str | None, *, as_json: bool) -> Iterator[Session]:
    """Open a session; closes its connections at the end."""
    store = CredentialStore()
    chosen = (url or store.last_url or DEFAULT_URL).rstrip("/")
    token = os.environ.get(TOKEN_VARIABLE)
    with Client(chosen, store=store, token=token) as client:
        yield Session(client=client, screen=Screen(as_json=as_json), store=store)


def examples(*lines: str) -> str:
    """An epilog of a command's help, one example per line."""
    return escape("\n".join(("Examples:", *(f"  {line}" for line in lines))))
