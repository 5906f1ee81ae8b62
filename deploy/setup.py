"""Make `.venv` and install what `uv.lock` names; standard library only, any Python 3 may run it.

Usage: `python3 deploy/setup.py [GROUP ...]`. Says one clear line when it cannot.
"""

import os
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"


def main() -> None:
    """Check, make, install; exit 1 with one line on stderr if something is missing."""
    if sys.version_info < OLDEST:
        found = f"{sys.version_info[0]}.{sys.version_info[1]}"
        stop(
            f"Tabularium needs Python 3.11 or newer; this is {found}."
            " Install one and run: make PYTHON=/path/to/python3 ..."
        )
    try:
        import ensurepip  # noqa: F401, PLC0415 - Debian ships Python without it
        import venv  # noqa: F401, PLC0415
    except ImportError:
        stop(
            "this Python has no venv or pip: install them"
            " (Debian, Ubuntu: apt-get install python3-venv) and run make again"
        )
    if not os.access(str(ROOT), os.W_OK):
        stop(f"the folder {ROOT} cannot be written to")
    python = VENV / "bin" / "python"
    if not python.exists():
        say("making .venv")
        run([sys.executable, "-m", "venv", str(VENV)], "the virtual environment could not be made")
    uv = VENV / "bin" / "uv"
    if not uv.exists():
        say("installing uv")
        quiet = ["--quiet", "--disable-pip-version-check"]
        run(
            [str(python), "-m", "pip", "install", *quiet, "uv>=0.9"],
            "uv could not be installed from the package index",
        )
    say("installing what uv.lock names")
    groups = [part for group in sys.argv[1:] for part in ("--group", group)]
    # A configuration of uv that lies on the machine must not change what is installed.
    sync = ["sync", "--quiet", "--frozen", "--no-config", "--no-default-groups", "--inexact"]
    environment = {
        "VIRTUAL_ENV": str(VENV),
        "UV_PROJECT_ENVIRONMENT": str(VENV),
        "UV_PYTHON": str(python),
        "UV_PYTHON_DOWNLOADS": "never",
    }
    # uv trusts its own list of authorities; where a proxy has one of its own, the system's.
    if attempt([str(uv), *sync, *groups], **environment).returncode:
        run(
            [str(uv), "--system-certs", *sync, *groups],
            "the packages could not be installed",
            **environment,
        )


def attempt(command: "list[str]", **environment: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a command in the checkout and keep what it says."""
    return subprocess.run(
        command,
        cwd=str(ROOT),
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


def run(command: "list[str]", complaint: str, **environment: str) -> None:
    """Run a command in the checkout; stop with what it said if it fails."""
    done = attempt(command, **environment)
    if done.returncode:
        sys.stderr.write(done.stdout.decode(errors="replace").strip() + "\n")
        stop(complaint)


def say(line: str) -> None:
    """Tell what takes time."""
    sys.stderr.write(f"set-up: {line}\n")


def stop(line: str) -> None:
    """End with one line."""
    sys.stderr.write(f"tabularium: {line}\n")
    sys.exit(1)


if __name__ == "__main__":
    main()
