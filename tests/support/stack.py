"""The whole stack as a person starts it: the launcher, real processes, its own state folder."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from deploy.local.environment import ROOT
from deploy.local.processes import free_port
from tests.support.waiting import until_now

READY_TIMEOUT_S = 60.0


@dataclass
class RunningStack:
    """A launcher and what it started."""

    launcher: "subprocess.Popen[bytes]"
    state: Path
    url: str
    output: Path

    @property
    def facts(self) -> dict[str, Any]:
        """`run.json`: urls, pids, the owner's database URL."""
        facts: dict[str, Any] = json.loads((self.state / "run.json").read_text())
        return facts

    @property
    def admin(self) -> dict[str, str]:
        log_in: dict[str, str] = json.loads((self.state / "admin.json").read_text())
        return log_in

    @contextmanager
    def signed_in(self) -> Iterator[httpx2.Client]:
        """A client with the admin's access token."""
        with httpx2.Client(base_url=self.url, timeout=30, trust_env=False) as http:
            answer = http.post("/api/token/", json=self.admin)
            assert answer.status_code == 200, answer.text
            http.headers["Authorization"] = f"Bearer {answer.json()['access']}"
            yield http

    def mails(self) -> list[str]:
        """Every mail so far, oldest first, as raw text."""
        return [file.read_text() for file in sorted((self.state / "mail").glob("*.eml"))]


def start_stack(
    state: Path, *, port: int | None = None, settings: Mapping[str, str] | None = None
) -> RunningStack:
    """Start the launcher; returns when it is ready, raises with its output when it is not."""
    port = port or free_port()
    output = state.with_name(f"{state.name}.out")
    environment = {**os.environ, "STATE_DIR": str(state), "PORT": str(port), **(settings or {})}
    with output.open("wb") as file:
        launcher = subprocess.Popen(
            [sys.executable, "-m", "deploy.local"],
            cwd=ROOT,
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    stack = RunningStack(launcher, state, f"http://127.0.0.1:{port}", output)

    def is_ready() -> bool:
        assert launcher.poll() is None, "the launcher has ended"
        return (state / "run.json").exists()

    try:
        until_now("the stack is ready", is_ready, timeout_s=READY_TIMEOUT_S)
    except AssertionError as exc:
        launcher.kill()
        raise RuntimeError(f"the stack did not start: {output.read_text()}") from exc
    return stack


def stop_stack(stack: RunningStack, sig: signal.Signals = signal.SIGTERM) -> int:
    """Stop the launcher and return its exit code."""
    stack.launcher.send_signal(sig)
    return stack.launcher.wait(60)


@contextmanager
def running_stack(
    state: Path, *, settings: Mapping[str, str] | None = None
) -> Iterator[RunningStack]:
    stack = start_stack(state, settings=settings)
    try:
        yield stack
    finally:
        if stack.launcher.poll() is None:
            stop_stack(stack)
