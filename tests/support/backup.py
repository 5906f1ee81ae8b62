"""Dump and restore, word for word as `docs/operations.md` says."""

import subprocess
from pathlib import Path


def run(binaries: Path, program: str, *arguments: str) -> str:
    """A program of PostgreSQL's; its standard output."""
    command = [str(binaries / program), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def dump(binaries: Path, url: str, file: Path) -> None:
    run(binaries, "pg_dump", "--format=custom", f"--file={file}", url)


def restore(binaries: Path, url: str, file: Path) -> None:
    """Into a database that was bootstrapped: its schemas are there, its tables are not."""
    listing = run(binaries, "pg_restore", "--list", str(file)).splitlines()
    entries = [line for line in listing if " SCHEMA - " not in line and " EXTENSION " not in line]
    chosen = file.with_suffix(".list")
    chosen.write_text("\n".join(entries))
    # Functions are given to `records`, which PostgreSQL allows to who may create in their schema.
    run(binaries, "psql", url, "-c", "GRANT CREATE ON SCHEMA records TO records")
    options = (f"--use-list={chosen}", "--exit-on-error", f"--dbname={url}")
    run(binaries, "pg_restore", *options, str(file))
    run(binaries, "psql", url, "-c", "REVOKE CREATE ON SCHEMA records FROM records")
