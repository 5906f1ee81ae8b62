"""`tabularium grants`: who may see, write or own a table."""

from typing import Annotated, Literal

import typer

from cli.answers import Grant
from cli.arguments import TableName
from cli.client import decoded, part
from cli.flattened import flattened
from cli.listing import Columns, listing, removed
from cli.session import AsJson, Url, View, examples, session, viewing

app = typer.Typer(no_args_is_help=True, help="Who may see, write or own a table.")

Who = Annotated[
    str, typer.Argument(metavar="WHO", help="An e-mail address, or a machine client's id.")
]
COLUMNS: Columns[Grant] = {
    "who": lambda grant: grant.identifier,
    "level": lambda grant: grant.level,
    "since": lambda grant: grant.granted_at.isoformat(),
}


@app.command("list")
@flattened
def list_grants(*, table: TableName, view: View) -> None:
    """List the grants on a table; for its owners and admins."""
    with viewing(view) as here:
        listing(here, _path(table), Grant, COLUMNS, view=view)


@app.command(epilog=examples("tabularium grants give Customer bob@example.com editor"))
def give(
    *,
    table: TableName,
    who: Who,
    level: Annotated[
        Literal["viewer", "editor", "owner"],
        typer.Argument(help="See the table, write its records, or own it.", show_choices=True),
    ],
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Let a person or a machine client see, write or own a table; a second grant replaces it."""
    with session(url, as_json=as_json) as here:
        answer = here.client.send("PUT", f"{_path(table)}/{part(who)}", body={"level": level})
        if as_json:
            here.screen.raw(answer.text)
            return
        given = Grant.model_validate(decoded(answer))
        here.screen.line(f"{given.identifier} is {given.level} of {table}")


@app.command()
def take(*, table: TableName, who: Who, url: Url = None, as_json: AsJson = False) -> None:
    """Take a grant back."""
    with session(url, as_json=as_json) as here:
        removed(here, f"{_path(table)}/{part(who)}", who, f"{who} has no grant on {table} any more")


def _path(table: str) -> str:
    return f"/api/tables/{part(table)}/grants"
