"""`tabularium sources`: saved connections to other databases, and to files in S3."""

from typing import Annotated, Any

import typer

from cli.answers import Source
from cli.client import decoded
from cli.flattened import flattened
from cli.listing import Columns, listing, removed
from cli.options import PASSWORD_VARIABLE, source_address
from cli.session import AsJson, Url, View, examples, session, viewing

app = typer.Typer(no_args_is_help=True, help="Saved connections to databases and S3.")

SourceId = Annotated[int, typer.Argument(metavar="ID", min=1, help="The source's number.")]


COLUMNS: Columns[Source] = {
    "id": lambda source: source.id,
    "name": lambda source: source.name,
    "kind": lambda source: source.kind,
    "server": lambda source: f"{source.host}:{source.port}",
    "database": lambda source: source.what,
    "user": lambda source: source.user,
}


@app.command("list")
@flattened
def list_sources(*, view: View) -> None:
    """List the saved connections; passwords are never shown."""
    with viewing(view) as here:
        listing(here, "/api/sources", Source, COLUMNS, view=view)


@app.command(
    epilog=examples(
        "tabularium sources add shop postgresql://clerk@db.example.com/shop --tls",
        "tabularium sources add lake s3://AKIAIOSFODNN7EXAMPLE@eu-central-1",
        "tabularium import --from-database 7 --source-table public.orders -t orders",
    )
)
def add(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What you call it.")],
    address: Annotated[
        str,
        typer.Argument(
            metavar="ADDRESS",
            help="postgresql://user@host:5432/database, oracle://user@host:1521/service, or"
            " s3://access-key@region (s3://access-key@host:9000 for a server of your own). The"
            f" password is asked for, or taken from {PASSWORD_VARIABLE}.",
        ),
    ],
    tls: Annotated[
        bool | None, typer.Option("--tls/--no-tls", help="Encrypted and verified, or not.")
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Save a connection, its password encrypted on the server."""
    parsed = source_address(address)
    body: dict[str, Any] = {"name": name, **parsed.fields, "password": parsed.password_or_ask()}
    if tls is not None:
        body["tls"] = tls
    with session(url, as_json=as_json) as here:
        answer = here.client.send("POST", "/api/sources", body=body)
        if as_json:
            here.screen.raw(answer.text)
            return
        here.screen.line(f"source {Source.model_validate(decoded(answer)).id} is {name}")


@app.command("test")
def try_log_in(*, id_: SourceId, url: Url = None, as_json: AsJson = False) -> None:
    """Log in to a saved connection and show what answers."""
    with session(url, as_json=as_json) as here:
        answer = here.client.send("POST", f"/api/sources/{id_}/test")
        if as_json:
            here.screen.raw(answer.text)
            return
        here.screen.line(f"the log-in works: {decoded(answer)['server']}")


@app.command()
def remove(*, id_: SourceId, url: Url = None, as_json: AsJson = False) -> None:
    """Forget a saved connection."""
    with session(url, as_json=as_json) as here:
        removed(here, f"/api/sources/{id_}", id_, f"source {id_} is forgotten")
