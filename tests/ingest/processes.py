"""The API and the workers as real processes, to be stopped, killed and woken again."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from pydantic import SecretStr

from deploy.local.processes import free_port
from services.ingest.settings import WorkerSettings
from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[2]


def environment_of(settings: WorkerSettings) -> dict[str, str]:
    """The settings as a process reads them."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "XDG_RUNTIME_DIR")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    for name, value in settings:
        if value is None:
            continue
        text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        environment[name.upper()] = text
    return {**environment, "PYTHONPATH": str(ROOT), "LOG_FORMAT": "json"}


@dataclass
class Process:
    """A process of ours, and where its log is."""

    popen: "subprocess.Popen[bytes]"
    log: Path
    url: str = ""

    def send(self, sig: signal.Signals) -> None:
        self.popen.send_signal(sig)

    async def says(self, words: bytes, *, timeout_s: float = 60) -> None:
        """Wait for words in its log."""

        def said() -> bool:
            ended = self.popen.poll() is not None
            if words in self.log.read_bytes():
                return True
            assert not ended, self.log.read_text()
            return False

        await until(f"{words!r} in the log", said, timeout_s=timeout_s)

    async def ended(self, *, timeout_s: float = 30) -> int:
        """Its exit code."""
        return await asyncio.to_thread(self.popen.wait, timeout_s)

    async def child(self) -> int:
        """The pid of the process that it has started to have one import to itself."""
        children = Path(f"/proc/{self.popen.pid}/task/{self.popen.pid}/children")

        def pids() -> int | None:
            for pid in map(int, children.read_text().split()):
                if b"services.ingest.alone" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    return pid
            return None

        pid: int = await until(
            "an import has a process to itself",
            pids,
            bearing=(FileNotFoundError, ProcessLookupError),  # another one may end meanwhile
            timeout_s=60,
        )
        return pid

    async def killed(self) -> None:
        """kill -9, and it is gone."""
        self.send(signal.SIGKILL)
        await self.ended()


@asynccontextmanager
async def worker_process(
    settings: WorkerSettings, folder: Path, **environment: str
) -> AsyncIterator[Process]:
    """A worker that has started."""
    async with _process(
        [sys.executable, "-m", "services.ingest.worker"], settings, folder, "worker", **environment
    ) as worker:
        await worker.says(b"worker_started")
        yield worker


@asynccontextmanager
async def api_process(settings: WorkerSettings, folder: Path) -> AsyncIterator[Process]:
    """An API that answers."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "uvicorn", "services.ingest.main:create_app", "--factory"),
        *("--host", "127.0.0.1", "--port", str(port), "--no-access-log"),
    ]
    async with _process(command, settings, folder, "api") as api:
        api.url = f"http://127.0.0.1:{port}"
        async with httpx2.AsyncClient(trust_env=False) as http:

            async def is_alive() -> bool:
                assert api.popen.poll() is None, api.log.read_text()
                return (await http.get(f"{api.url}/healthz")).status_code == 200

            await until("the API answers", is_alive, bearing=(httpx2.TransportError,), timeout_s=60)
        yield api


@asynccontextmanager
async def _process(
    command: list[str], settings: WorkerSettings, folder: Path, name: str, **environment: str
) -> AsyncIterator[Process]:
    log = folder / f"{name}-{free_port()}.log"
    popen = _started(command, environment_of(settings) | environment, log)
    process = Process(popen, log)
    try:
        yield process
    finally:
        if popen.poll() is None:
            popen.send_signal(signal.SIGCONT)
            popen.terminate()
            try:
                await process.ended(timeout_s=20)
            except subprocess.TimeoutExpired:
                await process.killed()
                raise


def _started(
    command: list[str], environment: dict[str, str], log: Path
) -> "subprocess.Popen[bytes]":
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
