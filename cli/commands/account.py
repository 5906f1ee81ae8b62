"""`tabularium login`, `logout`, `whoami`."""

import sys
from typing import Annotated

import typer

from cli.client import decoded
from cli.credentials import LogIn
from cli.errors import UsageError
from cli.session import AsJson, Session, Url, examples, session
from cli.tokens import without_newline


def login(
    *,
    email: Annotated[
        str | None, typer.Option("--email", "-e", help="Have a code mailed to this address.")
    ] = None,
    username: Annotated[
        str | None, typer.Option("--username", "-u", help="Sign in with a password.")
    ] = None,
    client_id: Annotated[
        str | None, typer.Option("--client", help="Sign in as a machine client with its secret.")
    ] = None,
    password_stdin: Annotated[
        bool,
        typer.Option("--password-stdin", help="Read the password or secret from standard input."),
    ] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Sign in with a code by e-mail, or with a user name and a password.

    The tokens are kept in a file that only you can read, and renewed by themselves.
    """
    if sum(given is not None for given in (email, username, client_id)) > 1:
        raise UsageError("give one of --email, --username and --client")
    if password_stdin and username is None and client_id is None:
        raise UsageError("--password-stdin goes with --username or --client")
    with session(url, as_json=as_json) as here:
        if username is not None:
            password = _secret("Password", password_stdin=password_stdin)
            log_in = here.client.sign_in.with_password(username, password)
        elif client_id is not None:
            secret = _secret("Secret", password_stdin=password_stdin)
            log_in = here.client.sign_in.with_secret(client_id, secret)
        else:
            log_in = _by_mail(here, email or typer.prompt("E-mail address", err=True))
        with here.store.locked():
            here.store.keep(here.client.url, log_in, as_default=True)
        if as_json:
            here.screen.document({"url": here.client.url, "file": str(here.store.file)})
        here.screen.say(f"signed in to {here.client.url}; the tokens are in {here.store.file}")


def _by_mail(here: Session, email: str) -> LogIn:
    challenge_id = here.client.sign_in.ask_for_code(email)
    here.screen.say(f"a code was mailed to {email}; it is good for ten minutes and one use")
    code = typer.prompt("Code", err=True)
    return here.client.sign_in.with_code(challenge_id, str(code).strip().replace(" ", ""))


def _secret(prompt: str, *, password_stdin: bool) -> str:
    if password_stdin:
        return without_newline(sys.stdin.readline())
    return str(typer.prompt(prompt, hide_input=True, err=True))


def logout(*, url: Url = None, as_json: AsJson = False) -> None:
    """Sign out: end the tokens on the server and remove them here."""
    with session(url, as_json=as_json) as here:
        with here.store.locked():
            log_in = here.store.find(here.client.url)
            # Removed here whatever the server says: that is what a person who signs out wants.
            here.store.forget(here.client.url)
        if log_in is not None and log_in.refresh is not None:
            here.client.sign_in.revoke(log_in.refresh)
        if as_json:
            here.screen.document({"url": here.client.url, "signed_out": log_in is not None})
        if log_in is None:
            here.screen.say(f"you were not signed in to {here.client.url}")
        else:
            here.screen.say(f"signed out of {here.client.url}")


def whoami(*, url: Url = None, as_json: AsJson = False) -> None:
    """Show who is signed in, and where."""
    with session(url, as_json=as_json) as here:
        answer = here.client.get("/api/auth/me")
        if as_json:
            here.screen.raw(answer.text)
            return
        shown = {"server": here.client.url, **decoded(answer)}
        here.screen.table(
            ["", ""],
            [[name, value] for name, value in shown.items() if value not in (None, [], "")],
        )


LOGIN_EXAMPLES = examples(
    "tabularium login --url https://data.example.com --email ann@example.com",
    "tabularium login --username admin",
    'echo "$SECRET" | tabularium login --client nightly-load --password-stdin',
)
