"""`tabularium users` and `tabularium clients`: who may sign in; for admins."""

import sys
import uuid
from typing import Annotated, Literal

import typer

from cli.answers import MachineClient, User
from cli.arguments import Scopes
from cli.client import decoded, part
from cli.errors import CommandError, UsageError
from cli.flattened import flattened
from cli.listing import Columns, listing, removed
from cli.session import AsJson, Session, Url, View, examples, session, viewing
from cli.tokens import without_newline

users = typer.Typer(no_args_is_help=True, help="People's accounts; for admins.")
clients = typer.Typer(no_args_is_help=True, help="Machine clients; for admins.")

RoleOption = Annotated[
    Literal["member", "admin"] | None, typer.Option(help="An admin may do everything.")
]
USER_COLUMNS: Columns[User] = {
    "email": lambda user: user.email,
    "username": lambda user: user.username,
    "role": lambda user: user.role,
    "disabled": lambda user: user.disabled,
    "password": lambda user: user.has_password,
    "id": lambda user: user.id,
}
CLIENT_COLUMNS: Columns[MachineClient] = {
    "id": lambda client: client.id,
    "name": lambda client: client.name,
    "scopes": lambda client: " ".join(client.scopes),
    "made by": lambda client: client.created_by,
}


@users.command("list")
@flattened
def list_users(
    *,
    search: Annotated[
        str | None, typer.Option("-q", help="Only addresses and names that contain this.")
    ] = None,
    view: View,
) -> None:
    """List the accounts."""
    params = {} if search is None else {"q": search}
    with viewing(view) as here:
        listing(here, "/api/auth/users", User, USER_COLUMNS, view=view, params=params)


@users.command(
    "add",
    epilog=examples(
        "tabularium users add bob@example.com",
        'echo "$PASSWORD" | tabularium users add bob@example.com --username bob --password-stdin',
    ),
)
def add_user(
    *,
    email: Annotated[str, typer.Argument(metavar="EMAIL")],
    username: Annotated[str | None, typer.Option(help="To sign in with, beside codes.")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read a password from standard input.")
    ] = False,
    role: RoleOption = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Make an account; without a password the person signs in by mailed codes."""
    body: dict[str, object] = {"email": email}
    if username is not None:
        body["username"] = username
    if role is not None:
        body["role"] = role
    if password_stdin:
        body["password"] = without_newline(sys.stdin.readline())
    with session(url, as_json=as_json) as here:
        answer = here.client.send("POST", "/api/auth/users", body=body)
        if as_json:
            here.screen.raw(answer.text)
            return
        made = User.model_validate(decoded(answer))
        here.screen.line(f"{made.email} has the role {made.role}")


@users.command("change", epilog=examples("tabularium users change bob@example.com --disable"))
def change_user(
    *,
    who: Annotated[str, typer.Argument(metavar="WHO", help="The e-mail address, or the id.")],
    role: RoleOption = None,
    disabled: Annotated[
        bool | None,
        typer.Option("--disable/--enable", help="End the person's sessions and refuse new ones."),
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Change a person's role, or disable or enable the account."""
    given = {"role": role, "disabled": disabled}
    body = {name: value for name, value in given.items() if value is not None}
    if not body:
        raise UsageError("say what to change: --role, --disable or --enable")
    with session(url, as_json=as_json) as here:
        path = f"/api/auth/users/{_id_of(here, who)}"
        answer = here.client.send("PATCH", path, body=body)
        if as_json:
            here.screen.raw(answer.text)
            return
        changed = User.model_validate(decoded(answer))
        state = "is disabled" if changed.disabled else f"has the role {changed.role}"
        here.screen.line(f"{changed.email} {state}")


@clients.command("list")
@flattened
def list_clients(*, view: View) -> None:
    """List the machine clients, without their secrets."""
    with viewing(view) as here:
        listing(here, "/api/auth/clients", MachineClient, CLIENT_COLUMNS, view=view)


@clients.command(
    "add",
    epilog=examples(
        "tabularium clients add nightly-load --scope imports:write --scope tables:read",
        "tabularium grants give Customer nightly-load editor",
    ),
)
def add_client(
    *,
    id_: Annotated[str, typer.Argument(metavar="ID", help="What it signs in as.")],
    scopes: Scopes,
    name: Annotated[str | None, typer.Option(help="What people read.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Make a machine client; its secret is shown this once."""
    body: dict[str, object] = {"id": id_, "scopes": scopes}
    if name is not None:
        body["name"] = name
    with session(url, as_json=as_json) as here:
        answer = here.client.send("POST", "/api/auth/clients", body=body)
        if as_json:
            here.screen.raw(answer.text)
            return
        here.screen.line(decoded(answer)["secret"])
        here.screen.say(f"the secret is not shown again; sign in: tabularium login --client {id_}")


@clients.command("remove")
def remove_client(
    *,
    id_: Annotated[str, typer.Argument(metavar="ID", help="The client's id.")],
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Revoke a machine client; its tokens are refused within seconds."""
    with session(url, as_json=as_json) as here:
        removed(here, f"/api/auth/clients/{part(id_)}", id_, f"client {id_} is revoked")


def _id_of(here: Session, who: str) -> str:
    """An account's id, by its address; raises CommandError when there is none."""
    try:
        return str(uuid.UUID(who))
    except ValueError:
        email = who.strip().casefold()
    for item in here.client.items("/api/auth/users", {"q": email}):
        if item["email"].casefold() == email:
            return str(item["id"])
    raise CommandError(f"there is no account of {who}")
