"""The stack the demo talks to: the one of DEMO_URL, the one that runs, or one of its own."""

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
    """Where the stack listens, whom it knows, and where the demo may keep its files."""

    url: str
    state: Path
    log_in_file: Path
    """`{"username", "password"}` of an admin."""
    mails: Path | None
    """The folder that mails arrive in; None where they go to a mail server."""

    def admin(self) -> dict[str, str]:
        """The admin's log-in; raises NoStackError when its file cannot be read."""
        try:
            log_in: dict[str, str] = json.loads(self.log_in_file.read_text())
        except (OSError, ValueError) as exc:
            raise NoStackError(f"the log-in {self.log_in_file} cannot be read: {exc}") from exc
        return log_in

    def facts(self) -> dict[str, Any]:
        """`run.json` of a local stack: addresses and process ids."""
        facts: dict[str, Any] = json.loads((self.state / "run.json").read_text())
        return facts


@contextmanager
def running_stack() -> Iterator[Stack]:
    """The stack of DEMO_URL, else the running one of this state folder, else one for this time."""
    given = settings_given()
    state = Path(given.get("STATE_DIR", ROOT / "var")).resolve()
    if "DEMO_URL" in given:
        yield _elsewhere(given, state)
        return
    running = _running(state)
    if running is not None:
        yield _here(running["url"], state)
        return
    child = subprocess.Popen([sys.executable, "-m", "deploy.local"], cwd=ROOT, env=os.environ)
    try:
        yield _here(_started(child, state)["url"], state)
    finally:
        child.terminate()
        child.wait(60)


def _here(url: str, state: Path) -> Stack:
    return Stack(url, state, log_in_file=state / "admin.json", mails=state / "mail")


def _elsewhere(given: dict[str, str], state: Path) -> Stack:
    """A stack that was started elsewhere, such as the containers."""
    url = given["DEMO_URL"].rstrip("/")
    if "DEMO_LOG_IN" not in given:
        raise NoStackError("DEMO_URL is set; DEMO_LOG_IN must name the file with an admin's log-in")
    try:
        httpx2.get(f"{url}/healthz", timeout=5, trust_env=False).raise_for_status()
    except httpx2.HTTPError as exc:
        raise NoStackError(f"nobody answers at DEMO_URL={url}: {exc}") from exc
    return Stack(url, state, log_in_file=Path(given["DEMO_LOG_IN"]).resolve(), mails=None)


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
