"""`tabularium key`: API keys, for programs that cannot renew a token."""

from datetime import datetime
from typing import Annotated

import typer

from cli.answers import ApiKey
from cli.arguments import Scopes
from cli.client import decoded
from cli.flattened import flattened
from cli.listing import Columns, listing, removed
from cli.session import TOKEN_VARIABLE, AsJson, Url, View, examples, session, viewing

app = typer.Typer(no_args_is_help=True, help="API keys, for programs that cannot renew a token.")

COLUMNS: Columns[ApiKey] = {
    "id": lambda key: key.id,
    "name": lambda key: key.name,
    "scopes": lambda key: " ".join(key.scopes),
    "expires": lambda key: key.expires_at.isoformat(),
}


@app.command("list")
@flattened
def list_keys(*, view: View) -> None:
    """List your keys, without their text."""
    with viewing(view) as here:
        listing(here, "/api/auth/api-keys", ApiKey, COLUMNS, view=view)


@app.command(
    epilog=examples(
        "tabularium key add airflow --scope catalog:write",
        "tabularium key add nightly --scope imports:write --scope tables:read --until 2027-06-30",
    )
)
def add(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for.")],
    scopes: Scopes,
    until: Annotated[
        datetime | None,
        typer.Option(
            "--until",
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"],
            help="When it ends (UTC); by default, and at the latest, after a year.",
        ),
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Create a key; its text is shown this once."""
    body: dict[str, object] = {"name": name, "scopes": scopes}
    if until is not None:
        body["expires_at"] = f"{until.isoformat()}Z"
    with session(url, as_json=as_json) as here:
        answer = here.client.send("POST", "/api/auth/api-keys", body=body)
        if as_json:
            here.screen.raw(answer.text)
            return
        here.screen.line(decoded(answer)["key"])
        here.screen.say(
            f"the key is not shown again; send it as a bearer token, or set {TOKEN_VARIABLE}"
        )


@app.command()
def remove(
    *,
    id_: Annotated[str, typer.Argument(metavar="ID", help="The key's id, from `key list`.")],
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Revoke a key; it is refused within seconds."""
    with session(url, as_json=as_json) as here:
        removed(here, f"/api/auth/api-keys/{id_}", id_, f"key {id_} is revoked")
