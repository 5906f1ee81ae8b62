"""Accounts, machine clients and grants from the command line."""

import secrets

from tests.cli.conftest import Command


def test_a_grant_is_given_listed_and_taken(command: Command) -> None:
    command("tables", "create", "Shared", "name:TEXT")
    assert (
        "is editor of Shared" in command("grants", "give", "Shared", "b@example.com", "editor").out
    )
    command("grants", "give", "Shared", "b@example.com", "viewer")
    listed = command("grants", "list", "Shared", "--columns", "who,level").out.splitlines()
    assert listed == ["who\tlevel", "b@example.com\tviewer"]
    assert "no grant" in command("grants", "take", "Shared", "b@example.com").err
    assert command("grants", "list", "Shared", "--json").json["items"] == []
    command("grants", "give", "Shared", "b@example.com", "king", code=2)
    command("tables", "drop", "Shared", "-y")


def test_an_account_is_made_changed_and_can_sign_in(command: Command, stranger: Command) -> None:
    name = f"u{secrets.token_hex(6)}"
    email, password = f"{name}@example.com", secrets.token_urlsafe(16)
    made = ("users", "add", email, "--username", name, "--password-stdin")
    assert f"{email} has the role member" in command(*made, typed=f"{password}\n").out
    stranger("login", "--username", name, "--password-stdin", typed=f"{password}\n")
    assert email in stranger("whoami").out
    assert len(stranger("users", "list", code=1).err.splitlines()) == 1
    command("users", "change", email, "--role", "admin")
    (item,) = command("users", "list", "-q", name, "--json").json["items"]
    assert item["role"] == "admin"
    assert "is disabled" in command("users", "change", item["id"], "--disable").out
    assert "say what" in command("users", "change", email, code=2).err
    assert "no account" in command("users", "change", f"no-{email}", "--enable", code=1).err


def test_a_machine_client_is_made_signs_in_and_is_revoked(
    command: Command, stranger: Command
) -> None:
    id_ = f"loader-{secrets.token_hex(6)}"
    secret = command("clients", "add", id_, "-s", "tables:read", "-s", "imports:write").out
    stranger("login", "--client", id_, "--password-stdin", typed=secret)
    assert "tables" not in stranger("tables", "list", "--json").err
    listed = command("clients", "list", "--output", "csv", "--columns", "id,scopes").out
    assert f"{id_},imports:write tables:read" in listed
    assert "revoked" in command("clients", "remove", id_).err
    assert id_ not in command("clients", "list").out
