"""The command as a person runs it, with a home of its own.

Most tests run it in their own process, which saves a start of Python for each call; what is about
signals, pipes or exit codes as a shell sees them starts a process.
"""

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import asyncpg
import pytest

from cli.main import main
from deploy.local.environment import ROOT
from deploy.local.postgresql import Cluster
from tests.support.stack import RunningStack

PATIENCE_S = 60.0


@dataclass(frozen=True)
class Done:
    """What a finished command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def _take_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass(frozen=True)
class Command:
    """`tabularium` for one person."""

    url: str
    home: Path

    @property
    def credentials(self) -> Path:
        return self.home / "tabularium" / "credentials.json"

    def __call__(
        self, *words: str, typed: str = "", code: int = 0, settings: Mapping[str, str] | None = None
    ) -> Done:
        """Run to the end in this process; the exit code must be `code`."""
        done = _in_process(
            words, typed=typed, environment=self._environment(settings or {}), folder=self.home
        )
        assert done.code == code, f"{words}: {done.out}\n{done.err}"
        return done

    def sign_in(self, stack: RunningStack) -> None:
        """Sign in as the admin."""
        words = ("login", "--username", stack.admin["username"], "--password-stdin")
        self(*words, typed=f"{stack.admin['password']}\n")

    def start(
        self,
        *words: str,
        settings: Mapping[str, str] | None = None,
        stdout: int | IO[str] = subprocess.PIPE,
    ) -> "Started":
        """Start it, to be typed to or interrupted."""
        return Started(
            subprocess.Popen(
                self._argv(words),
                env=self._environment(settings or {}),
                cwd=self.home,
                stdin=subprocess.PIPE,
                stdout=stdout,
                stderr=subprocess.PIPE,
                text=True,
                # Tests that a shell runs in its background ignore Ctrl-C, and so would the command.
                preexec_fn=_take_interrupts,  # noqa: PLW1509 - it only resets a signal
            )
        )

    def _argv(self, words: Sequence[str]) -> list[str]:
        return [sys.executable, "-m", "cli.main", *words]

    def _environment(self, settings: Mapping[str, str]) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        return {
            **kept,
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home),
            "PYTHONPATH": str(ROOT),
            "TABULARIUM_URL": self.url,
            "COLUMNS": "200",
            **settings,
        }


def _in_process(
    words: Sequence[str], *, typed: str, environment: Mapping[str, str], folder: Path
) -> Done:
    """`cli.main.main` with argv, environment, folder and the three streams of its own."""
    before = (dict(os.environ), sys.argv, sys.stdin)
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
    code: object = 0
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["tabularium", *words]
    sys.stdin = io.TextIOWrapper(io.BytesIO(typed.encode()), encoding="utf-8")
    try:
        with redirect_stdout(out), redirect_stderr(err), chdir(folder):
            main()
    except SystemExit as exc:
        code = exc.code
    finally:
        os.environ.clear()
        os.environ.update(before[0])
        sys.argv, sys.stdin = before[1:]
    said = [_text_of(stream) for stream in (out, err)]
    return Done(int(str(code or 0)), *said)


def _text_of(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read().replace("\r\n", "\n")


@dataclass(frozen=True)
class Started:
    """A command that runs."""

    process: "subprocess.Popen[str]"

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def end(self, typed: str = "") -> Done:
        out, err = self.process.communicate(typed, timeout=PATIENCE_S)
        return Done(self.process.returncode, out, err)


@pytest.fixture
def stranger(stack: RunningStack, tmp_path: Path) -> Command:
    """Somebody who has not signed in."""
    return Command(url=stack.url, home=tmp_path)


@pytest.fixture(scope="module")
def admin_home(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("admin")
    Command(url=stack.url, home=home).sign_in(stack)
    return home


@pytest.fixture
def command(stack: RunningStack, admin_home: Path) -> Command:
    """The admin, signed in once per module."""
    return Command(url=stack.url, home=admin_home)


@pytest.fixture(scope="module")
def source(cluster: Cluster) -> str:
    """Another database, in another cluster; its user's password is `for-orders`."""

    async def make() -> None:
        server = await asyncpg.connect(cluster.url())
        await server.execute("CREATE ROLE clerk LOGIN PASSWORD 'for-orders'")
        await server.execute("CREATE DATABASE hardware OWNER clerk")
        await server.close()
        shop = await asyncpg.connect(
            cluster.url(user="clerk", password="for-orders", database="hardware")
        )
        await shop.execute("CREATE TABLE public.orders (item text, pieces integer)")
        await shop.execute("INSERT INTO public.orders VALUES ('nails', 100), ('Schrauben', 7)")
        await shop.close()

    asyncio.run(make())
    return f"postgresql://clerk@127.0.0.1:{cluster.port}/hardware"
