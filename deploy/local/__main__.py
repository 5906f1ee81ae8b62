"""`python -m deploy.local`: the whole stack in the foreground, until Ctrl-C or SIGTERM."""

import asyncio
import contextlib
import functools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import asyncpg
import httpx2
from dotenv import dotenv_values

from deploy.local.environment import (
    HOST,
    MEASURED,
    ROOT,
    Addresses,
    addresses,
    command,
    migration_environment,
    process_environment,
)
from deploy.local.postgresql import Cluster, ClusterError, prepare
from deploy.local.state import (
    OWNER,
    Secrets,
    StateError,
    load_secrets,
    lock_state,
    open_state,
    write_private,
)
from deploy.local.supervisor import Child, last_words, launching, say
from deploy.local.valkey import Valkey, ValkeyError, find_server
from migrations.bootstrap import SERVICES, login_role
from shared.process.setting_names import READ_BY_LIBRARIES, SETTINGS, misspelt
from shared.process.settings import unknown_setting
from shared.store.identifiers import quoted

READY_TIMEOUT_S = 60.0
ENV_FILE = ROOT / ".env"


def main() -> None:
    """Run the stack; exit 1 with one line when it cannot start."""
    given = settings_given()
    _name_unknown_settings()
    try:
        state = open_state(Path(given.get("STATE_DIR", ROOT / "var")).resolve())
        port = _checked_port(given.get("PORT", "8000"))
        if "METRICS_PORT" in given:
            for number in range(len(MEASURED)):
                _checked_port(given["METRICS_PORT"], "METRICS_PORT", above=number)
        lock = lock_state(state)
        known = load_secrets(state)
        asyncio.run(run_stack(state, port=port, known=known, given=given))
        os.close(lock)
    except (StateError, ClusterError, ValkeyError) as exc:
        sys.exit(f"tabularium: {exc}")


def settings_given() -> dict[str, str]:
    """Settings of `.env` in the checkout, and above them those of the environment."""
    from_file = {name: value for name, value in dotenv_values(ENV_FILE).items() if value}
    traces = {name for name in os.environ if name.startswith("OTEL_")}
    names = {*from_file, *SETTINGS, *traces}
    return from_file | {name: os.environ[name] for name in names if os.environ.get(name)}


def _name_unknown_settings() -> None:
    """Say which names of `.env` are no settings, and which of the environment resemble one."""
    from_file = {
        name
        for name in dotenv_values(ENV_FILE)
        if name not in SETTINGS and not name.startswith(READ_BY_LIBRARIES)
    }
    meant = misspelt({*from_file, *os.environ}, settings=SETTINGS)
    for name in sorted({*from_file, *meant}):
        say(f"! {unknown_setting(name, meant.get(name))}".rstrip())


def _checked_port(text: str, name: str = "PORT", *, above: int = 0) -> int:
    if not text.isdecimal() or not 0 < int(text) + above < 65536:
        raise StateError(f"{name} must be a number from 1 to {65535 - above}, not {text!r}")
    port = int(text) + above
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((HOST, port))
        except OSError as exc:
            raise StateError(
                f"port {port} cannot be had ({exc.strerror}); choose another: {name}=8001 make up"
            ) from exc
    return port


async def run_stack(state: Path, *, port: int, known: Secrets, given: Mapping[str, str]) -> None:
    """Start everything in order, watch it, and stop it in the opposite order."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(sig, stopping.set)
    children: list[Child] = []
    started_at = time.monotonic()
    try:
        stack = asyncio.create_task(_start(state, port, known, given, children))
        stopped = asyncio.create_task(stopping.wait())
        await asyncio.wait({stack, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.is_set():
            at = stack.result()
            _announce(at, state, time.monotonic() - started_at)
            async with asyncio.TaskGroup() as group:
                note = functools.partial(_note, state, at, children)
                watchers = [group.create_task(child.watch(note)) for child in children]
                await stopped
                say("stopping")
                for watcher in watchers:
                    watcher.cancel()
        stack.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await stack
    finally:
        for child in reversed(children):
            await child.stop()
        (state / "run.json").unlink(missing_ok=True)
        say("stopped")


async def _start(
    state: Path, port: int, known: Secrets, given: Mapping[str, str], children: list[Child]
) -> Addresses:
    owner_url = given.get("DATABASE_URL") or await _own_postgresql(state, known, children)
    redis_url = given.get("REDIS_URL") or _own_valkey(state, children)
    at = addresses(gateway_port=port, owner_url=owner_url, redis_url=redis_url, given=given)
    await asyncio.to_thread(_migrate, migration_environment(at, known, given))
    names = [*SERVICES, "worker", "gateway"]
    if at.own_mail_catcher:
        names.insert(0, "mail catcher")
    for name in names:
        log_file = state / "log" / f"{name.replace(' ', '-')}.log"
        launch = launching(
            command(name, at=at, state=state),
            environment=process_environment(name, at=at, known=known, state=state, given=given),
            log_file=log_file,
        )
        child = Child(name, launch, log_file)
        child.start()
        children.append(child)
    await _until_ready(at, children)
    _note(state, at, children)
    return at


def _note(state: Path, at: Addresses, children: Sequence[Child]) -> None:
    """Write down what runs now, and where; again after each restart."""
    write_private(
        state / "run.json",
        {
            "pid": os.getpid(),
            "url": at.public_url,
            "services": {service: at.service_url(service) for service in SERVICES},
            "owner_url": at.owner_url,
            "redis_url": at.redis_url,
            "smtp_host": at.smtp_host,
            "smtp_port": at.smtp_port,
            "metrics_ports": dict(at.metrics_ports()),
            "pids": {child.name: child.pid for child in children},
        },
    )


async def _own_postgresql(state: Path, known: Secrets, children: list[Child]) -> str:
    cluster = prepare(state)
    await asyncio.to_thread(cluster.initialise)
    child = Child("postgresql", cluster.launch, cluster.log_file, stop_signal=signal.SIGINT)
    child.start()
    children.append(child)
    await cluster.ready()
    if not cluster.data.is_relative_to(state):
        say(f"PostgreSQL may not enter {state}: its data is in {cluster.data}")
    return await _owner_url(cluster, known)


async def _owner_url(cluster: Cluster, known: Secrets) -> str:
    """Make the owner (CREATEROLE, no superuser) and the database at the first start."""
    password = known.database_passwords[OWNER]
    connection = await asyncpg.connect(cluster.url(), timeout=10)
    try:
        await login_role(connection, OWNER, password, may="CREATEROLE")
        # For `records`, to which the bootstrap passes it on.
        await connection.execute(
            f"GRANT SET ON PARAMETER session_replication_role TO {quoted(OWNER)} WITH GRANT OPTION"
        )
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", OWNER):
            await connection.execute(f"CREATE DATABASE {quoted(OWNER)} OWNER {quoted(OWNER)}")
    finally:
        await connection.close()
    return cluster.url(user=OWNER, password=password, database=OWNER)


def _own_valkey(state: Path, children: list[Child]) -> str:
    valkey = Valkey(server=find_server(), folder=state / "log")
    child = Child("valkey", valkey.launch, valkey.log_file)
    child.start()
    children.append(child)
    return valkey.url


def _migrate(environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "migrations"],
        cwd=ROOT,
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        raise StateError(f"the database could not be made ready: {words[-1]}")


async def _until_ready(at: Addresses, children: list[Child]) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    async with httpx2.AsyncClient(trust_env=False, timeout=3) as http:
        while True:
            for child in children:
                if child.pid is None:
                    reason = last_words(child.log_file)
                    raise StateError(f"{child.name} did not start: {reason}; see {child.log_file}")
            with contextlib.suppress(httpx2.HTTPError):
                answer = await http.get(f"{at.public_url}/readyz")
                if answer.status_code == 200:
                    return
            if time.monotonic() > deadline:
                raise StateError(f"not ready after {READY_TIMEOUT_S:g} s: see the logs in log/")
            await asyncio.sleep(0.1)


def _announce(at: Addresses, state: Path, seconds: float) -> None:
    say(f"Tabularium is ready after {seconds:.1f} s: {at.public_url}/docs")
    say(f"  the page for people {at.public_url}/app")
    say(f"  the admin's log-in  {state / 'admin.json'}")
    if at.own_mail_catcher:
        say(f"  mails               {state / 'mail'}")
    say(f"  logs                {state / 'log'}")
    say("  Ctrl-C stops it.")


if __name__ == "__main__":
    main()
