"""PgBouncer in transaction mode, between the product and a cluster.

Found by `POOLER_BIN`, or on the PATH; `.ci/pgbouncer` gets one. It must know prepared statements.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from deploy.local.postgresql import SUPERUSER, Cluster
from deploy.local.processes import NOBODY_UID, die_with_parent, free_port
from tests.support.waiting import until_now

NEEDED = (1, 21)
THROUGH_POOLER = bool(os.environ.get("TEST_POOLER"))
"""Whether the databases of tests are reached by way of a pooler (`make pooled`)."""


def find_pooler() -> str:
    """The program; skips the test, with the reason, where there is none that is new enough."""
    program = os.environ.get("POOLER_BIN") or shutil.which("pgbouncer")
    if program is None:
        pytest.skip("no PgBouncer: POOLER_BIN=$(.ci/pgbouncer FOLDER) gets one")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"PgBouncer (\d+)\.(\d+)", said)
    assert version is not None, said
    if (int(version[1]), int(version[2])) < NEEDED:
        pytest.skip(f"{said.splitlines()[0]} knows no prepared statements: 1.21 does")
    return program


@dataclass(frozen=True)
class Pooler:
    """A running PgBouncer; log-ins are those of the cluster."""

    port: int
    process: "subprocess.Popen[bytes]"
    log: Path
    password: str
    """Of its administrator."""

    def before(self, url: str) -> str:
        """A connection string of the cluster, by way of the pooler."""
        return re.sub(r"@127\.0\.0\.1:\d+/", f"@127.0.0.1:{self.port}/", url)

    async def reconnect(self) -> None:
        """End its sessions in PostgreSQL, each when it is free: new ones have a role's settings."""
        console = await asyncpg.connect(
            host="127.0.0.1",
            port=self.port,
            user=SUPERUSER,
            password=self.password,
            database="pgbouncer",
        )
        await console.execute("RECONNECT")
        await console.close()


@contextmanager
def running_pooler(cluster: Cluster, folder: Path, **settings: object) -> Iterator[Pooler]:
    """Start one for every database of the cluster; `settings` are PgBouncer's own."""
    program = find_pooler()
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    users = folder / "users.txt"
    users.write_text(f'"{SUPERUSER}" "{cluster.password}"\n')
    config = folder / "pgbouncer.ini"
    chosen = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "pool_mode": "transaction",
        "auth_type": "scram-sha-256",
        "auth_file": users,
        "auth_user": SUPERUSER,
        "auth_dbname": "postgres",
        "auth_query": "SELECT usename, passwd FROM pg_shadow WHERE usename = $1",
        "max_client_conn": 1000,
        "default_pool_size": 20,
        "max_prepared_statements": 200,
        "server_idle_timeout": 5,
        "admin_users": SUPERUSER,
    } | settings
    lines = "".join(f"{name} = {value}\n" for name, value in chosen.items())
    config.write_text(
        f"[databases]\n* = host=127.0.0.1 port={cluster.port}\n\n[pgbouncer]\n{lines}"
    )
    log = folder / "pgbouncer.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [program, str(config)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - only prctl
            user=NOBODY_UID if os.geteuid() == 0 else None,  # PgBouncer refuses to run as root
        )

    def listens() -> bool:
        assert process.poll() is None, log.read_text()
        with socket.socket() as trial:
            return trial.connect_ex(("127.0.0.1", port)) == 0

    try:
        until_now("PgBouncer listens", listens)
        yield Pooler(port, process, log, cluster.password)
    finally:
        process.terminate()
        process.wait(20)
