"""The launcher: one command, nothing lost between starts, no process left behind."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from deploy.local.environment import ROOT
from deploy.local.processes import NOBODY_UID, free_port, may_enter
from deploy.local.state import open_state
from tests.support.profile import only_in_full
from tests.support.stack import RunningStack, running_stack, start_stack, stop_stack
from tests.support.waiting import until_now

PATIENCE_S = 45.0


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # it may go between open and read
        return False


@pytest.fixture
def state(state_folder: Path, request: pytest.FixtureRequest) -> Path:
    name: str = request.node.name
    return state_folder / name[:40]


def open_to_others(state: Path) -> list[Path]:
    """What other users of the machine could read; as root, PostgreSQL's group passes through."""
    passage = [state, state / "postgresql"] if os.geteuid() == 0 else []
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in passage] == [0o710] * len(passage)
    return [
        file
        for file in (state, *state.rglob("*"))
        if stat.S_IMODE(file.stat().st_mode) & 0o077 and file not in passage
    ]


def refusal(**environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.local"],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


@only_in_full
def test_a_second_start_keeps_all_and_no_end_leaves_a_process(
    state: Path,
) -> None:
    stack = start_stack(state)
    pids = [*stack.facts["pids"].values(), stack.launcher.pid]
    admin_file = state / "admin.json"
    assert stat.S_IMODE(admin_file.stat().st_mode) == 0o600
    with stack.signed_in() as http:
        body = {"table_name": "Kept", "fields": {"name": "TEXT"}}
        assert http.post("/api/create-table/", json=body).status_code == 201
    assert open_to_others(state) == []
    before = admin_file.read_text()
    assert stop_stack(stack, signal.SIGINT) == 0
    assert not any(alive(pid) for pid in pids)

    again = start_stack(state)
    assert admin_file.read_text() == before
    with again.signed_in() as http:
        assert http.get("/api/tables/Kept").status_code == 200
    pids = list(again.facts["pids"].values())
    again.launcher.kill()
    again.launcher.wait()
    until_now("all are gone", lambda: not any(alive(pid) for pid in pids), timeout_s=PATIENCE_S)


def kill_and_recover(stack: RunningStack, name: str) -> None:
    pid: int = stack.facts["pids"][name]
    os.kill(pid, signal.SIGKILL)
    until_now("it is gone", lambda: not alive(pid), timeout_s=PATIENCE_S)
    until_now(
        "another one is noted",
        lambda: stack.facts["pids"][name] not in (pid, None),
        timeout_s=PATIENCE_S,
    )
    with httpx2.Client(base_url=stack.url, trust_env=False, timeout=10) as http:
        until_now(
            "all is ready again",
            lambda: http.get("/readyz").status_code == 200,
            timeout_s=PATIENCE_S,
        )
    with stack.signed_in() as person:
        assert person.get("/api/tables").status_code == 200


@only_in_full
def test_a_child_that_dies_is_started_again(state: Path) -> None:
    with running_stack(state) as stack:
        for name in ("records", "postgresql", "valkey"):
            kill_and_recover(stack, name)
        told = stack.output.read_text()
    assert "! records ended (SIGKILL)" in told
    assert "! postgresql ended (SIGKILL)" in told


def test_a_taken_port_is_one_clear_line(state: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        line = refusal(PORT=port, STATE_DIR=str(state))
    assert port in line
    assert "PORT=" in line


def test_a_name_that_is_no_setting_is_named_by_the_launcher(state: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.local"],
        cwd=ROOT,
        env=os.environ | {"PORT": "eight", "STATE_DIR": str(state), "WORKER_CONCURENCY": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (
        done.stdout
        == "! WORKER_CONCURENCY is not a setting and is ignored; did you mean WORKER_CONCURRENCY?\n"
    )


def test_a_folder_that_held_something_else_is_left_as_it_was(state: Path) -> None:
    state.mkdir(mode=0o755)
    (state / "mine.txt").touch()
    open_state(state)
    assert stat.S_IMODE(state.stat().st_mode) == 0o755
    assert stat.S_IMODE((state / "mail").stat().st_mode) == 0o700


def test_a_port_that_is_none_is_one_clear_line(state: Path) -> None:
    assert "PORT" in refusal(PORT="eight", STATE_DIR=str(state))


def test_a_folder_that_cannot_be_written_is_one_clear_line(state: Path) -> None:
    state.write_text("a file stands where the folder should be")
    assert "STATE_DIR" in refusal(STATE_DIR=str(state))


@only_in_full
def test_a_setting_that_a_process_refuses_is_one_clear_line(state: Path) -> None:
    line = refusal(REDIS_URL="http://127.0.0.1:1", STATE_DIR=str(state), PORT=str(free_port()))
    assert "did not start: REDIS_URL: it begins with redis://" in line


def test_two_launchers_on_one_state_is_one_clear_line(stack: RunningStack) -> None:
    assert "already runs" in refusal(STATE_DIR=str(stack.state), PORT=str(free_port()))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become a plain user")
@pytest.mark.skipif(
    not may_enter(Path(sys.executable).resolve().parent),
    reason="a plain user may not enter the folder of this Python",
)
def test_a_plain_user_can_start_it(state: Path) -> None:
    state.mkdir(mode=0o755)
    os.chown(state, NOBODY_UID, NOBODY_UID)
    number = free_port()
    output = state.with_name("plain-user.out")
    with output.open("wb") as file:
        launcher = subprocess.Popen(
            [sys.executable, "-m", "deploy.local"],
            cwd=ROOT,
            env={**os.environ, "STATE_DIR": str(state), "PORT": str(number), "HOME": str(state)},
            stdout=file,
            stderr=subprocess.STDOUT,
            user=NOBODY_UID,
            group=NOBODY_UID,
            extra_groups=[],
        )
    try:
        until_now(
            "it is ready or has ended",
            lambda: (state / "run.json").exists() or launcher.poll() is not None,
            timeout_s=PATIENCE_S,
        )
        assert launcher.poll() is None, output.read_text()
        assert json.loads((state / "run.json").read_text())["url"].endswith(str(number))
    finally:
        launcher.terminate()
        assert launcher.wait(60) == 0


@only_in_full
@pytest.mark.skipif(os.geteuid() != 0, reason="only root's PostgreSQL runs as another user")
def test_a_state_folder_that_postgresql_may_not_enter_works_too(state_folder: Path) -> None:
    closed = state_folder / "closed"
    closed.mkdir(mode=0o700)
    with running_stack(closed / "state") as stack:
        told = stack.output.read_text()
        assert "its data is in /var/lib/tabularium-" in told
        with stack.signed_in() as http:
            assert http.get("/api/tables").status_code == 200
    home = Path(told.split("its data is in ")[1].splitlines()[0]).parent
    assert home.is_relative_to("/var/lib")
    subprocess.run(["rm", "-rf", str(home)], check=True)
