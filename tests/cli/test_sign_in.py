"""Signing in and out; the tokens on disk."""

import json
import re
import stat
import time
from typing import Any

import httpx2

from tests.cli.conftest import PATIENCE_S, Command
from tests.support.profile import only_in_full
from tests.support.stack import RunningStack
from tests.support.waiting import until_now


def tokens(command: Command) -> dict[str, Any]:
    known: dict[str, Any] = json.loads(command.credentials.read_text())["servers"][command.url]
    return known


def age(command: Command) -> None:
    """Make the stored access token look expired."""
    known = json.loads(command.credentials.read_text())
    known["servers"][command.url]["expires_at"] = time.time() - 1
    command.credentials.write_text(json.dumps(known))


def code_for(stack: RunningStack, address: str) -> str:
    def mailed() -> str | None:
        for mail in stack.mails():
            if address in mail and (
                found := re.search(r"^Subject: .*?(\d{6})", mail, re.MULTILINE)
            ):
                return found[1]
        return None

    code: str = until_now(f"a code for {address}", mailed, timeout_s=PATIENCE_S)
    return code


def test_a_code_by_mail_signs_in(stranger: Command, stack: RunningStack) -> None:
    address = f"cli{time.time_ns()}@example.com"
    started = stranger.start("login", "--email", address)
    done = started.end(f"{code_for(stack, address)}\n")
    assert done.code == 0, done.err
    assert f"signed in to {stack.url}" in done.err
    assert stranger("whoami", "--json").json["email"] == address


def test_a_wrong_code_is_one_line(stranger: Command) -> None:
    address = f"cli{time.time_ns()}@example.com"
    done = stranger("login", "--email", address, typed="000000\n", code=1)
    assert done.err.splitlines()[-1].partition("tabularium: ")[2]
    assert "Traceback" not in done.err


def test_the_tokens_are_for_their_owner_alone(stranger: Command, stack: RunningStack) -> None:
    stranger.sign_in(stack)
    assert stat.S_IMODE(stranger.credentials.stat().st_mode) == 0o600
    assert stat.S_IMODE(stranger.credentials.parent.stat().st_mode) == 0o700
    assert stack.admin["password"] not in stranger.credentials.read_text()


def test_later_commands_use_the_server_of_the_last_log_in(
    stranger: Command, stack: RunningStack
) -> None:
    stranger.sign_in(stack)
    assert "admin" in stranger("whoami", settings={"TABULARIUM_URL": ""}).out


def test_a_wrong_password_is_one_line(stranger: Command) -> None:
    done = stranger("login", "-u", "admin", "--password-stdin", typed="wrong", code=1)
    assert done.err.startswith("tabularium: ")
    assert len(done.err.splitlines()) == 1
    assert not stranger.credentials.exists()


@only_in_full
def test_an_expired_token_is_renewed_once_for_many_commands(
    stranger: Command, stack: RunningStack
) -> None:
    stranger.sign_in(stack)
    before = tokens(stranger)
    age(stranger)
    started = [stranger.start("tables", "list", "--json") for _ in range(5)]
    for one in started:
        done = one.end()
        assert done.code == 0, done.err
    after = tokens(stranger)
    assert after["access"] != before["access"]
    assert after["refresh"] != before["refresh"]
    # The one before the last is used up; had five been drawn, the grace would still hide it.
    again = stranger("whoami", "--json").json
    assert again["username"] == stack.admin["username"]
    assert tokens(stranger) == after


def test_signing_out_ends_the_session_on_the_server(stranger: Command, stack: RunningStack) -> None:
    stranger.sign_in(stack)
    refresh = tokens(stranger)["refresh"]
    assert "signed out" in stranger("logout").err
    with httpx2.Client(base_url=stack.url, trust_env=False) as http:
        assert http.post("/api/token/refresh/", json={"refresh": refresh}).status_code == 401
    assert "sign in first" in stranger("tables", "list", code=1).err


def test_a_log_in_that_is_over_says_to_sign_in_again(
    stranger: Command, stack: RunningStack
) -> None:
    stranger.sign_in(stack)
    with httpx2.Client(base_url=stack.url, trust_env=False) as http:
        body = {"refresh": tokens(stranger)["refresh"]}
        assert http.post("/api/auth/revoke", json=body).status_code == 204
    age(stranger)
    done = stranger("tables", "list", code=1)
    assert "tabularium login" in done.err
    assert len(done.err.splitlines()) == 1


def test_a_machine_client_signs_in_with_its_secret(stranger: Command, stack: RunningStack) -> None:
    with stack.signed_in() as http:
        made = http.post("/api/auth/clients", json={"name": "loader", "scopes": ["tables:read"]})
        assert made.status_code == 201, made.text
    told = made.json()
    stranger("login", "--client", told["id"], "--password-stdin", typed=told["secret"])
    age(stranger)
    assert stranger("tables", "list", "--json").json["next"] is None
    assert tokens(stranger)["expires_at"] > time.time()


def test_a_token_out_of_the_environment_is_used(stranger: Command, stack: RunningStack) -> None:
    with stack.signed_in() as http:
        token = http.headers["Authorization"].removeprefix("Bearer ")
    told = stranger("whoami", "--json", settings={"TABULARIUM_TOKEN": token}).json
    assert told["username"] == stack.admin["username"]
    assert not stranger.credentials.exists()


def test_a_server_that_is_not_there_is_one_line(stranger: Command) -> None:
    done = stranger(
        "login", "-u", "a", "--password-stdin", "--url", "http://127.0.0.1:1", typed="x", code=1
    )
    assert "http://127.0.0.1:1" in done.err
    assert "TABULARIUM_URL" in done.err
    assert len(done.err.splitlines()) == 1


def test_two_ways_at_once_do_not_fit_together(stranger: Command) -> None:
    assert "one of" in stranger("login", "-u", "a", "-e", "a@example.com", code=2).err
