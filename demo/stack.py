"""The stack the demo talks to: the one that runs, or one of its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from deploy.local.__main__ import settings_given
from deploy.local.environment import ROOT

START_TIMEOUT_S = 90.0


class NoStackError(Exception):
    """The stack did not come up; the message says why."""


@dataclass(frozen=True)
class Stack:
    """Where the stack listens and keeps its state."""

    url: str
    state: Path

    def admin(self) -> dict[str, str]:
        """The admin's log-in."""
        log_in: dict[str, str] = json.loads((self.state / "admin.json").read_text())
        return log_in

    def facts(self) -> dict[str, Any]:
        """`run.json`: addresses and process ids."""
        facts: dict[str, Any] = json.loads((self.state / "run.json").read_text())
        return facts


@contextmanager
def running_stack() -> Iterator[Stack]:
    """The running stack of this state folder, or one that is stopped again at the end."""
    state = Path(settings_given().get("STATE_DIR", ROOT / "var")).resolve()
    running = _running(state)
    if running is not None:
        yield Stack(running["url"], state)
        return
    child = subprocess.Popen([sys.executable, "-m", "deploy.local"], cwd=ROOT, env=os.environ)
    try:
        yield Stack(_started(child, state)["url"], state)
    finally:
        child.terminate()
        child.wait(60)


def _running(state: Path) -> dict[str, Any] | None:
    try:
        facts: dict[str, Any] = json.loads((state / "run.json").read_text())
        httpx2.get(f"{facts['url']}/healthz", timeout=3, trust_env=False).raise_for_status()
    except (OSError, ValueError, httpx2.HTTPError):
        return None
    return facts


def _started(child: "subprocess.Popen[bytes]", state: Path) -> dict[str, Any]:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise NoStackError("the stack did not start")
        if (facts := _running(state)) is not None:
            return facts
        time.sleep(0.2)
    raise NoStackError(f"the stack was not ready after {START_TIMEOUT_S:g} s")
