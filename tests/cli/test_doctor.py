"""`tabularium doctor`: what is in order, and what to do where something is not."""

import os
import socket
from pathlib import Path

from deploy.local.environment import ROOT
from tests.cli.conftest import Command


def findings(command: Command, *words: str, code: int = 0) -> dict[str, dict[str, str]]:
    items = command("doctor", "--json", *words, code=code).json["items"]
    return {item["check"]: item for item in items}


def test_nothing_is_wrong_for_somebody_who_is_signed_in(command: Command) -> None:
    done = command("doctor")
    assert "nothing is wrong" in done.err
    found = findings(command)
    assert {"command", "tokens", "server", "clock", "records", "redis", "log-in"} <= found.keys()
    assert "admin@example.com, admin" in found["log-in"]["message"]
    assert "set-up" not in found
    tokens = command.credentials.read_text()
    assert not any(part in tokens for part in done.out.split() if len(part) > 40)


def test_who_is_not_signed_in_learns_how(stranger: Command) -> None:
    found = findings(stranger, code=1)
    assert found["log-in"]["remedy"] == f"tabularium login --url {stranger.url}"
    assert found["server"]["state"] == "ok"
    assert "wrong: 1 of" in stranger("doctor", code=1).err
    given = stranger("doctor", "--json", code=1, settings={"TABULARIUM_TOKEN": "tab_none"})
    assert "renew TABULARIUM_TOKEN" in given.out


def test_a_server_that_is_away_or_another_is_wrong(command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    found = findings(command, "--url", url, code=1)
    assert found["server"]["state"] == "wrong"
    assert "log-in" not in found


def test_tokens_that_others_can_read_are_wrong(command: Command) -> None:
    command.credentials.chmod(0o644)
    try:
        assert "chmod 600" in findings(command, code=1)["tokens"]["remedy"]
    finally:
        command.credentials.chmod(0o600)


def test_a_checkout_is_looked_at_too(command: Command, tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    for name in ("pyproject.toml", "uv.lock", "deploy/setup.py"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    below = Command(url=command.url, home=tmp_path / "deploy")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    tokens = {"XDG_CONFIG_HOME": str(command.home), "PORT": port, "STATE_DIR": str(tmp_path)}
    found = checked(below, tokens, code=1)
    assert "not set up" in found["set-up"]["message"]
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".local").touch()
    found = checked(below, tokens)
    assert (found["set-up"]["state"], found["port"]["state"]) == ("ok", "ok")
    os.utime(tmp_path / "uv.lock", (2**32, 2**32))
    assert "newer" in checked(below, tokens, code=1)["set-up"]["message"]
    assert "no port" in checked(below, tokens | {"PORT": "eighty"}, code=1)["port"]["message"]
    running = tokens | {"PORT": command.url.rpartition(":")[2]}
    assert "the stack runs" in checked(below, running, code=1)["port"]["message"]


def checked(command: Command, settings: dict[str, str], code: int = 0) -> dict[str, dict[str, str]]:
    items = command("doctor", "--json", settings=settings, code=code).json["items"]
    return {item["check"]: item for item in items}
