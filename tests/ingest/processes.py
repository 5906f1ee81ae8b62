"""The API and the workers as real processes, to be stopped, killed and woken again."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2
from pydantic import SecretStr

from deploy.local.processes import free_port
from services.ingest.settings import WorkerSettings

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
        async with asyncio.timeout(timeout_s):
            while words not in self.log.read_bytes():
                assert self.popen.poll() is None, self.log.read_text()
                await asyncio.sleep(0.05)

    async def ended(self, *, timeout_s: float = 30) -> int:
        """Its exit code."""
        return await asyncio.to_thread(self.popen.wait, timeout_s)

    async def killed(self) -> None:
        """kill -9, and it is gone."""
        self.send(signal.SIGKILL)
        await self.ended()


@asynccontextmanager
async def worker_process(settings: WorkerSettings, folder: Path) -> AsyncIterator[Process]:
    """A worker that has started."""
    async with _process(
        [sys.executable, "-m", "services.ingest.worker"], settings, folder, "worker"
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
        async with asyncio.timeout(60), httpx2.AsyncClient(trust_env=False) as http:
            while True:
                assert api.popen.poll() is None, api.log.read_text()
                with suppress(httpx2.TransportError):
                    if (await http.get(f"{api.url}/healthz")).status_code == 200:
                        break
                await asyncio.sleep(0.05)
        yield api


@asynccontextmanager
async def _process(
    command: list[str], settings: WorkerSettings, folder: Path, name: str
) -> AsyncIterator[Process]:
    log = folder / f"{name}-{free_port()}.log"
    popen = _started(command, settings, log)
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


def _started(command: list[str], settings: WorkerSettings, log: Path) -> "subprocess.Popen[bytes]":
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment_of(settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
