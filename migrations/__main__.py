"""`python -m migrations`: bootstrap, then every section to its head.

`python -m migrations bootstrap` makes roles and schemas alone, before a restore.

Reads `DATABASE_URL` (the owner's log-in), `<SERVICE>_DB_PASSWORD` for each role, and
`STATEMENT_TIMEOUT_S`.
"""

import asyncio
import os
import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError

from migrations.bootstrap import SERVICES, STATEMENT_TIMEOUT_S, NoConnectionError, bootstrap
from shared.process.connection_string import ConnectionStringError, connection_string

ROOT = Path(__file__).resolve().parent.parent
LONGEST_TIMEOUT_S = 24 * 3600


def upgrade(service: str) -> None:
    """Bring one service's schema to its newest revision; `DATABASE_URL` must be set."""
    command.upgrade(Config(str(ROOT / "alembic.ini"), ini_section=service), "head")


def main() -> None:
    """Make the database ready for the services of this version."""
    names = {service: f"{service.upper()}_DB_PASSWORD" for service in SERVICES}
    missing = [name for name in ("DATABASE_URL", *names.values()) if not os.environ.get(name)]
    if missing:
        sys.exit(f"migrations: set {', '.join(missing)}")
    passwords = {service: os.environ[name] for service, name in names.items()}
    try:
        owner_url = connection_string(os.environ["DATABASE_URL"])
    except ConnectionStringError as exc:
        sys.exit(f"migrations: DATABASE_URL: {exc}")
    timeout_s = _statement_timeout_s()
    try:
        asyncio.run(bootstrap(owner_url, passwords, statement_timeout_s=timeout_s))
    except NoConnectionError as exc:
        sys.exit(f"migrations: DATABASE_URL: {exc}")
    if sys.argv[1:] != ["bootstrap"]:
        try:
            for service in SERVICES:
                upgrade(service)
        except CommandError as exc:
            sys.exit(f"migrations: {exc}")


def _statement_timeout_s() -> float:
    text = os.environ.get("STATEMENT_TIMEOUT_S") or str(STATEMENT_TIMEOUT_S)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < LONGEST_TIMEOUT_S:
        sys.exit(f"migrations: STATEMENT_TIMEOUT_S is a number of seconds, not {text!r}")
    return seconds


if __name__ == "__main__":
    main()
