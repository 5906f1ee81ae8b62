"""Dump and restore: the very blocks of `docs/operations.md`, "Backup and restore"."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from deploy.local.environment import ROOT
from migrations.bootstrap import SERVICES
from tests.support.documents import steps

SECTION = "Backup and restore"


def dump(binaries: Path, url: str, folder: Path) -> None:
    """Dump a database into a folder."""
    (back_up, *_) = steps("docs/operations.md", SECTION)
    _run(back_up.command, binaries, folder, {"DATABASE_URL": url})


def restore(binaries: Path, url: str, folder: Path, *, passwords: Mapping[str, str]) -> None:
    """Into an empty database; `passwords` are those of the services' roles."""
    (_, *restoring) = steps("docs/operations.md", SECTION)
    given = {f"{service.upper()}_DB_PASSWORD": passwords[service] for service in SERVICES}
    for step in restoring:
        _run(step.command, binaries, folder, {"DATABASE_URL": url, **given})


def _run(command: str, binaries: Path, folder: Path, settings: Mapping[str, str]) -> None:
    path = f"{ROOT / '.venv' / 'bin'}:{binaries}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", f"set -eo pipefail\n{command}"],
        cwd=folder,
        env={"PATH": path, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
