"""`tabularium doctor`: whether the server, the log-in and a checkout's set-up are in order."""

import os
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from socket import create_connection
from typing import Literal

import httpx2
import typer

from cli.client import decoded
from cli.credentials import CredentialStore
from cli.errors import FAILED, CommandError
from cli.flattened import flattened
from cli.listing import Columns, show_items
from cli.session import DEFAULT_URL, TOKEN_VARIABLE, Session, View, viewing
from cli.tokens import EXPIRES_SOON_S
from shared import __version__
from shared.contracts.base import AnswerModel

DEFAULT_PORT = DEFAULT_URL.rpartition(":")[2]
LEAST_FREE_BYTES = 2**30
CHECKOUT = ("pyproject.toml", "uv.lock", "deploy/setup.py")
"""What a checkout has; its `.venv` is out of date when one of them is newer."""


class Finding(AnswerModel):
    """What one check came to; `remedy` is what to do where something is wrong."""

    check: str
    state: Literal["ok", "wrong"]
    message: str
    remedy: str | None = None


def fine(check: str, message: str) -> Finding:
    """Nothing is wrong here."""
    return Finding(check=check, state="ok", message=message)


def wrong(check: str, message: str, remedy: str) -> Finding:
    """Something is."""
    return Finding(check=check, state="wrong", message=message, remedy=remedy)


COLUMNS: Columns[Finding] = {
    "check": lambda finding: finding.check,
    "state": lambda finding: finding.state,
    "message": lambda finding: finding.message,
    "remedy": lambda finding: finding.remedy,
}


@flattened
def doctor(*, view: View) -> None:
    """Check the server and the log-in and, in a checkout, its set-up; exits 1 if anything is wrong.

    Nothing is changed anywhere, and no password or token is shown.
    """
    root = checkout()
    with viewing(view) as here:
        findings = [*_of_the_command(here.store), *(_of_a_checkout(root) if root else ())]
        if root is None or view.url is not None or here.store.last_url is not None:
            findings += _of_the_server(here)
        items = (each.model_dump() for each in findings)
        show_items(here.screen, items, Finding, COLUMNS, view=view)
        count = sum(each.state == "wrong" for each in findings)
        here.screen.say("nothing is wrong" if not count else f"wrong: {count} of {len(findings)}")
    if count:
        raise typer.Exit(FAILED)


def checkout() -> Path | None:
    """The checkout of the server in which the command was started, if it was."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if all((folder / name).exists() for name in CHECKOUT):
            return folder
    return None


def _of_the_command(store: CredentialStore) -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    yield fine("command", f"tabularium {__version__} on Python {python}")
    if not store.file.exists():
        return
    mode = stat.S_IMODE(store.file.stat().st_mode)
    if os.name == "posix" and mode & 0o077:
        yield wrong(
            "tokens",
            f"others can read {store.file} (mode {mode:o})",
            f"chmod 600 {store.file}, then log in anew",
        )
    else:
        yield fine("tokens", f"{store.file} is yours alone")


def _of_the_server(here: Session) -> Iterator[Finding]:
    try:
        answer = here.client.probe("/healthz")
        health = decoded(answer)
    except CommandError as exc:
        remedy = "start it, or name another: --url, TABULARIUM_URL, tabularium login --url"
        yield wrong("server", str(exc), remedy)
        return
    if not isinstance(health, dict) or health.get("status") != "ok":
        yield wrong("server", f"{here.client.url} is no Tabularium", "name its address by --url")
        return
    version = health.get("version")
    if version == __version__:
        yield fine("server", f"{here.client.url} answers, version {version}")
    else:
        message = f"{here.client.url} has version {version}, the command {__version__}"
        yield wrong("server", message, "install the command of the server's version")
    yield from _clock(answer)
    yield from _readiness(here)
    yield _log_in(here)


def _clock(answer: httpx2.Response) -> Iterator[Finding]:
    sent = answer.headers.get("Date")
    if sent is None:
        return
    off_s = abs(time.time() - parsedate_to_datetime(sent).timestamp())
    if off_s > EXPIRES_SOON_S:
        message = f"this machine and the server differ by {off_s:.0f} s"
        yield wrong("clock", message, "set the clock: tokens are renewed too late or too early")
    else:
        yield fine("clock", "this machine and the server agree")


def _readiness(here: Session) -> Iterator[Finding]:
    try:
        checks = decoded(here.client.probe("/readyz"))["checks"]
    except (CommandError, KeyError, TypeError) as exc:
        yield wrong("ready", f"/readyz cannot be read: {exc}", "look at the gateway's log")
        return
    for name, state in checks.items():
        if state == "ok":
            yield fine(name, "ready")
        else:
            yield wrong(name, str(state), f"look at the log of {name}, and at /readyz")


def _log_in(here: Session) -> Finding:
    try:
        me = decoded(here.client.get("/api/auth/me"))
    except CommandError as exc:
        given = TOKEN_VARIABLE in os.environ
        remedy = f"tabularium login --url {here.client.url}"
        return wrong("log-in", str(exc), f"renew {TOKEN_VARIABLE}" if given else remedy)
    who = me.get("email") or me["id"]
    role = f", {me['role']}" if me.get("role") else ""
    return fine("log-in", f"{who}{role}, with {', '.join(me['scopes'])}")


def _of_a_checkout(root: Path) -> Iterator[Finding]:
    if shutil.which("make") is None:
        yield wrong("make", "there is no `make`", "install make")
    else:
        yield fine("make", "is there")
    yield _packages(root)
    yield _state(root)
    yield _port(os.environ.get("PORT") or DEFAULT_PORT)


def _packages(root: Path) -> Finding:
    marks = [root / ".venv" / name for name in (".local", ".dev")]
    made = [mark.stat().st_mtime for mark in marks if mark.exists()]
    newest = max((root / name).stat().st_mtime for name in CHECKOUT)
    if not made:
        return wrong("set-up", f"{root / '.venv'} is not set up", "make up, which sets it up")
    if max(made) < newest:
        message = "uv.lock or pyproject.toml is newer than .venv"
        return wrong("set-up", message, "make .venv/.local, or .venv/.dev for tests")
    return fine("set-up", f"{root / '.venv'} is as uv.lock has it")


def _state(root: Path) -> Finding:
    folder = Path(os.environ.get("STATE_DIR") or root / "var")
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not os.access(there, os.W_OK):
        return wrong("state", f"{there} cannot be written to", "set STATE_DIR to one that can")
    free = shutil.disk_usage(there).free
    if free < LEAST_FREE_BYTES:
        message = f"{free / 2**20:,.0f} MiB are free at {there}"
        return wrong("state", message, "make room, or set STATE_DIR to another disk")
    return fine("state", f"{folder}, with {free / 2**30:,.0f} GiB free")


def _port(port: str) -> Finding:
    if not port.isdecimal() or not 0 < int(port) < 2**16:
        return wrong("port", f"PORT={port!r} is no port", "PORT=8100 make up")
    url = f"http://127.0.0.1:{port}"
    try:
        create_connection(("127.0.0.1", int(port)), timeout=2).close()
    except OSError:
        return fine("port", f"{port} is free; make up starts the stack there")
    try:
        health = httpx2.get(f"{url}/healthz", timeout=5, trust_env=False).json()
    except (httpx2.HTTPError, ValueError):
        health = None
    if isinstance(health, dict) and "version" in health:
        return fine("port", f"the stack runs at {url}")
    return wrong("port", f"something else listens on port {port}", "PORT=8100 make up")
