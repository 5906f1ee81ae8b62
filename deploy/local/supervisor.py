"""Children that are restarted when they die, and stopped in order."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.processes import die_with_parent, open_private

FIRST_BACK_OFF_S = 0.5
LONGEST_BACK_OFF_S = 30.0
HEALTHY_AFTER_S = 20.0
STOP_TIMEOUT_S = 15.0
LOG_LIMIT_BYTES = 20 * 1024 * 1024


def say(line: str) -> None:
    """One line to the person in front of the terminal."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


Launch = Callable[[], "subprocess.Popen[bytes]"]


def launching(command: Sequence[str], *, environment: Mapping[str, str], log_file: Path) -> Launch:
    """How to start a process whose output goes to a file of its own.

    It is stopped when the launcher dies, however that happens.
    """

    def launch() -> "subprocess.Popen[bytes]":
        if log_file.exists() and log_file.stat().st_size > LOG_LIMIT_BYTES:
            log_file.replace(log_file.with_suffix(".old.log"))
        with open_private(log_file) as output:
            return subprocess.Popen(
                list(command),
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o077,
                preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - only prctl
            )

    return launch


def last_words(log_file: Path) -> str:
    """Why a process has ended: the last error in its log, or what it said outside of it."""
    for line in reversed(log_file.read_text(errors="replace").splitlines()):
        try:
            entry = json.loads(line)
        except ValueError:
            return line
        if entry["level"] in ("error", "critical"):
            return str(entry["event"])
    return "it said nothing"


@dataclass
class Child:
    """One process of the stack."""

    name: str
    launch: Launch
    log_file: Path
    stop_signal: signal.Signals = signal.SIGTERM
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    def start(self) -> None:
        """Start it."""
        self.process = self.launch()

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self.process.pid if self.process and self.process.poll() is None else None

    async def watch(self, restarted: Callable[[], None]) -> None:
        """Restart it with back-off whenever it ends, and call `restarted`."""
        back_off_s = FIRST_BACK_OFF_S
        while True:
            assert self.process is not None
            started = time.monotonic()
            code = await _ended(self.process)
            if time.monotonic() - started > HEALTHY_AFTER_S:
                back_off_s = FIRST_BACK_OFF_S
            say(
                f"! {self.name} ended ({_reason(code)}); started again in {back_off_s:g} s"
                f" (see {self.log_file})"
            )
            await asyncio.sleep(back_off_s)
            back_off_s = min(back_off_s * 2, LONGEST_BACK_OFF_S)
            self.start()
            restarted()

    async def stop(self) -> None:
        """Ask it to stop; SIGKILL for one that does not go."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(self.stop_signal)
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await _ended(self.process)
        except TimeoutError:
            say(f"! {self.name} did not stop within {STOP_TIMEOUT_S:g} s and was killed")
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await _ended(self.process)


async def _ended(process: "subprocess.Popen[bytes]") -> int:
    """Wait without a thread: a pidfd becomes readable when the process ends."""
    if hasattr(os, "pidfd_open") and process.poll() is None:
        try:
            descriptor = os.pidfd_open(process.pid)
        except OSError:  # a kernel or sandbox without pidfds
            pass
        else:
            loop = asyncio.get_running_loop()
            ended = asyncio.Event()
            loop.add_reader(descriptor, ended.set)
            try:
                await ended.wait()
            finally:
                loop.remove_reader(descriptor)
                os.close(descriptor)
    # Elsewhere than on Linux there is no event to wait for, so ask.
    while (code := process.poll()) is None:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    return code


def _reason(code: int) -> str:
    if code < 0:
        return signal.Signals(-code).name
    return f"exit {code}"
