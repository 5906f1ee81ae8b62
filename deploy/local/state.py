"""The state folder: secrets made at the first start, the admin's log-in, what runs now."""

import base64
import fcntl
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.processes import let_nobody_pass
from migrations.bootstrap import SERVICES

OWNER = "tabularium"
"""The database role that runs the migrations."""
ADMIN_USERNAME = "admin"
ADMIN_EMAIL = "admin@example.com"


class StateError(Exception):
    """The state folder cannot be used; the message is one line for people."""


@dataclass(frozen=True)
class Secrets:
    """Everything random that must stay the same from one start to the next."""

    database_passwords: dict[str, str]
    client_secrets: dict[str, str]
    signing_key_secret: str
    otp_pepper: str
    source_key: str
    admin_password: str


def open_state(folder: Path) -> Path:
    """Make the folder if need be; raises StateError unless it can be written to.

    It is its owner's alone, unless it already held something else. As root, PostgreSQL runs as
    `nobody`, whose group may pass through it (mode 710).
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        ours = (folder / "secrets.json").exists() or not any(folder.iterdir())
        for name in ("mail", "log", "storage"):
            (folder / name).mkdir(exist_ok=True)
            (folder / name).chmod(0o700)
        if ours and os.geteuid() == 0:
            let_nobody_pass(folder)
        elif ours:
            folder.chmod(0o700)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as exc:
        raise StateError(
            f"the state folder {folder} cannot be written to ({exc.strerror});"
            " set STATE_DIR to one that can"
        ) from exc
    return folder


def lock_state(folder: Path) -> int:
    """Take the folder for this process until it ends; raises StateError if another has it."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        os.close(descriptor)
        raise StateError(
            f"Tabularium already runs from {folder}; stop it first, or set STATE_DIR and PORT"
        ) from exc
    return descriptor


def load_secrets(folder: Path) -> Secrets:
    """Read the secrets, or make them at the first start (mode 600)."""
    file = folder / "secrets.json"
    if not file.exists():
        write_private(
            file,
            {
                "database_passwords": {
                    name: secrets.token_urlsafe(24) for name in (OWNER, *SERVICES)
                },
                "client_secrets": {name: secrets.token_urlsafe(32) for name in SERVICES},
                "signing_key_secret": _key(),
                "otp_pepper": _key(),
                "source_key": _key(),
                "admin_password": secrets.token_urlsafe(15),
            },
        )
    made = Secrets(**json.loads(file.read_text()))
    admin_file = folder / "admin.json"
    if not admin_file.exists():
        write_private(admin_file, {"username": ADMIN_USERNAME, "password": made.admin_password})
    return made


def write_private(file: Path, content: dict[str, Any]) -> None:
    """Write JSON with mode 600, whole or not at all."""
    unfinished = file.with_suffix(".part")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as output:
        json.dump(content, output, indent=1)
        output.write("\n")
    unfinished.replace(file)


def _key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
