"""`python -m demo.walk`: record docs/walk.svg, the command line at work on a stack of its own.

Every line of the picture was printed by the real command; nothing is written by hand but the file
that it loads.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from demo.drawing import Scene, drawn
from demo.stack import NoStackError, running_stack
from deploy.local.environment import ROOT
from deploy.local.processes import free_port

PICTURE = ROOT / "docs" / "walk.svg"
COLUMNS = 96
CUSTOMERS = """\
name,email,born,spent
Ann,ann@example.com,2001-02-03,19.90
Bob,bob@example.com,1990-02-30,5.00
Zoë,zoe@example.com,1985-12-24,"1,299.00"
Eve,ann@example.com,1979-07-01,7.25
"""
TABLE = "name:TEXT 'email:TEXT UNIQUE' born:DATE 'spent:NUMERIC(10,2)'"
CORRECTIONS = """s/1990-02-30/1990-02-28/; s/"1,299.00"/1299.00/; s/Eve,ann/Eve,eve/"""


@dataclass(frozen=True)
class Step:
    """A command of the walk, and the exit code that it must have."""

    words: str
    exit_code: int = 0


STEPS = (
    Step("cat customers.csv"),
    Step(f"tabularium tables create Customer {TABLE}"),
    Step("tabularium import customers.csv --table Customer", exit_code=3),
    Step("tabularium rejects 1 -o rejects.csv"),
    Step(f"sed -i '{CORRECTIONS}' rejects.csv"),
    Step("tabularium correct 1 rejects.csv"),
    Step("tabularium records Customer born__lt=2000-01-01 --sort=-spent"),
    Step("tabularium lineage data.Customer --up"),
    Step("tabularium undo 1 --yes"),
    Step("tabularium records Customer"),
)


class WalkFailedError(Exception):
    """A command ended otherwise than it must."""


def main() -> None:
    """Record the walk; exits 1 with one line when a command does not do as it should."""
    try:
        with tempfile.TemporaryDirectory() as folder, _stack(Path(folder) / "state") as environment:
            scenes = recorded(STEPS, folder=Path(folder), environment=environment)
    except (NoStackError, WalkFailedError) as exc:
        sys.stderr.write(f"the walk failed: {exc}\n")
        sys.exit(1)
    PICTURE.write_text(drawn(scenes, columns=COLUMNS, title="tabularium"), encoding="utf-8")
    sys.stdout.write(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size:,} bytes\n")


@contextmanager
def _stack(state: Path) -> Iterator[Mapping[str, str]]:
    """A fresh stack and the environment in which the command is signed in to it."""
    os.environ |= {"STATE_DIR": str(state), "PORT": str(free_port())}
    os.environ.pop("DEMO_URL", None)
    with running_stack() as stack:
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(state),
            "XDG_CONFIG_HOME": str(state),
            "LANG": "C.UTF-8",
            # As on a terminal, without what only moves.
            "TTY_COMPATIBLE": "1",
            "TTY_INTERACTIVE": "0",
            "TERM": "xterm-256color",
            "COLUMNS": str(COLUMNS),
        }
        log_in = ("login", "--url", stack.url, "--username", stack.admin()["username"])
        subprocess.run(
            ["tabularium", *log_in, "--password-stdin"],
            input=f"{stack.admin()['password']}\n",
            env=environment,
            executable=str(Path(sys.executable).parent / "tabularium"),
            text=True,
            check=True,
            capture_output=True,
        )
        yield environment


def recorded(steps: Sequence[Step], *, folder: Path, environment: Mapping[str, str]) -> list[Scene]:
    """Run the commands in a shell and keep what they print; raises WalkFailedError."""
    (folder / "customers.csv").write_text(CUSTOMERS)
    scenes = []
    for step in steps:
        done = subprocess.run(
            ["bash", "-c", step.words],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode != step.exit_code:
            raise WalkFailedError(f"{step.words}: exit code {done.returncode}: {done.stdout}")
        scenes.append(Scene(step.words, done.stdout))
    return scenes


if __name__ == "__main__":
    main()
