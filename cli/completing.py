"""What a shell completes out of the server: names of tables and columns."""

import contextlib
from collections.abc import Iterator

import typer

from cli.client import Client, decoded, part
from cli.errors import CommandError
from cli.session import session

PATIENCE_S = 2.0
"""A shell waits for it."""


def table_names(incomplete: str) -> list[str]:
    """Tables that the caller may see."""
    with _asking() as client:
        tables = decoded(client.send("GET", "/api/tables", params={"limit": 1000}))["items"]
        return [table["name"] for table in tables if table["name"].startswith(incomplete)]
    return []


def assignments(ctx: typer.Context, incomplete: str) -> list[str]:
    """`column=` for each column of the table that was typed before."""
    table = ctx.params.get("table")
    if table is None or "=" in incomplete:
        return []
    with _asking() as client:
        columns = decoded(client.send("GET", f"/api/tables/{part(table)}"))["columns"]
        names = [column["name"] for column in columns]
        return [f"{name}=" for name in names if name.startswith(incomplete)]
    return []


@contextlib.contextmanager
def _asking() -> Iterator[Client]:
    """A client that soon gives up; a shell has no place for what went wrong."""
    with (
        contextlib.suppress(CommandError),
        session(None, as_json=True, patience_s=PATIENCE_S) as here,
    ):
        yield here.client
