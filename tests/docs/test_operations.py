"""The drills of `docs/operations.md`, word for word, on a stack of their own.

Backup and restore: `tests/e2e/test_restore.py`; the upgrade: `tests/migrations/test_release.py`.
"""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from deploy.local.environment import ROOT
from deploy.local.processes import free_port
from tests.faults.scene import fill
from tests.support.documents import Step, pattern, steps
from tests.support.imports import finished, submit
from tests.support.profile import only_in_full
from tests.support.small_disk import small_disk
from tests.support.stack import start_stack, stop_stack
from tests.support.waiting import until_now

pytestmark = only_in_full
PAGE = "docs/operations.md"
EXPORTS = re.compile(r"export (\w+)=")
RESTARTS = re.compile(r"(.*)make up\n", re.DOTALL)
ROOM_BYTES = 600 * 1024**2
"""For PostgreSQL's files, its log and the drill's ballast."""


class Operator:
    """Runs a page's commands where `make up` was run; each `make up` is a restart."""

    def __init__(self, state: Path, folder: Path) -> None:
        self.state = state
        self.folder = folder
        folder.mkdir()
        (folder / "var").symlink_to(state)
        for name in ("Makefile", "pyproject.toml", "uv.lock", "deploy", ".venv"):
            (folder / name).symlink_to(ROOT / name)
        self.said = "set -eo pipefail\n"
        self.stack = start_stack(state)

    def run(self, step: Step) -> None:
        if exported := EXPORTS.match(step.command):
            # Once: it may be random.
            name = exported.group(1)
            value = self._bash(f'{step.command}printf %s "${name}"')
            self.said += f"export {name}={shlex.quote(value)}\n"
        elif restart := RESTARTS.fullmatch(step.command):
            self.restart(**dict(one.split("=", 1) for one in self._printed(restart.group(1))))
        else:
            printed = self._bash(step.command)
            wanted = None if step.output is None else pattern(step.output)
            assert wanted is None or wanted.fullmatch(printed.strip()), (step.line, printed)

    def restart(self, **settings: str) -> None:
        stop_stack(self.stack)
        self.stack = start_stack(self.state, settings=settings)

    def _printed(self, words: str) -> list[str]:
        return self._bash(f"echo {words}").split()

    def _bash(self, command: str) -> str:
        path = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
        environment = {"STATE_DIR": str(self.state), "PORT": str(free_port()), "LANG": "C.UTF-8"}
        done = subprocess.run(
            ["bash", "-c", self.said + command],
            cwd=self.folder,
            env={**environment, "PATH": path, "HOME": str(self.folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        return done.stdout


@pytest.fixture
def operator(state_folder: Path, request: pytest.FixtureRequest) -> Iterator[Operator]:
    name: str = request.node.name[:30]
    operator = Operator(state_folder / name, state_folder / f"{name}-folder")
    yield operator
    if operator.stack.launcher.poll() is None:
        stop_stack(operator.stack)


def saved_source(http: httpx2.Client) -> int:
    # Nothing listens there: `source_away` is said only after the password was opened.
    source = {"name": "shop", "kind": "postgresql", "host": "127.0.0.1", "port": 1}
    log_in = {"database": "shop", "user": "reader", "password": "secret"}
    answer = http.post("/api/sources", json={**source, **log_in})
    assert answer.status_code == 201, answer.text
    number: int = answer.json()["id"]
    return number


def test_keys_are_changed_and_everything_goes_on(operator: Operator) -> None:
    with operator.stack.signed_in() as http:
        number = saved_source(http)
        before = {key["kid"] for key in signing(http)}
        operator.run(steps(PAGE, "Keys")[0])
        # The token of before is good until it expires, and so is a new one.
        assert http.get("/api/auth/me").status_code == 200
        assert {key["kid"] for key in signing(http)} - before
    with operator.stack.signed_in() as http:
        assert http.get("/api/auth/me").status_code == 200
    for step in steps(PAGE, "Keys")[1:]:
        operator.run(step)
        with operator.stack.signed_in() as http:
            answer = http.post(f"/api/sources/{number}/test")
            assert answer.json()["code"] == "source_away", (step.line, answer.text)
    with operator.stack.signed_in() as http:
        old = http.get("/api/auth/me")
        assert old.status_code == 200


def signing(http: httpx2.Client) -> list[dict[str, Any]]:
    """The published keys."""
    keys: list[dict[str, Any]] = http.get("/.well-known/jwks.json").json()["keys"]
    return keys


def test_a_full_disk_loses_nothing_and_is_over_when_there_is_room(state_folder: Path) -> None:
    with small_disk(state_folder / "small-disk", size_bytes=ROOM_BYTES) as disk:
        disk.chmod(0o755)
        operator = Operator(disk / "state", state_folder / "small-disk-folder")
        try:
            _drill(operator, disk)
        finally:
            stop_stack(operator.stack)


def _drill(operator: Operator, disk: Path) -> None:
    made, freed, looked = steps(PAGE, "A full disk")
    operator.run(made)
    rows = b"name\n" + b"".join(b"person %d\n" % number for number in range(5000))
    with operator.stack.signed_in() as http:
        body = {"table_name": "people", "fields": {"name": "TEXT"}}
        assert http.post("/api/create-table", json=body).status_code == 201
        finished(http, submit(http, "people", rows))
        fill(disk / "filler")
        refused = submit(http, "people", rows * 20, status=507)
        assert refused["code"] == "storage_full"
        assert http.get("/api/tables/people/records?limit=1").status_code == 200
    operator.run(freed)
    operator.run(looked)

    def loads_again() -> bool:
        with operator.stack.signed_in() as http:
            return bool(finished(http, submit(http, "people", rows))["state"] == "succeeded")

    until_now(
        "imports work again",
        loads_again,
        bearing=(AssertionError, httpx2.HTTPError),
        timeout_s=90,
    )
    with operator.stack.signed_in() as http:
        counted = http.get("/api/tables/people/records?limit=1&count=exact").json()
        assert counted["total"] % 5000 == 0
