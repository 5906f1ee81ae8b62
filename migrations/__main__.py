"""`python -m migrations`: bootstrap, then every section to its head.

`python -m migrations bootstrap` makes roles and schemas alone, before a restore.

Reads `DATABASE_URL` (the owner's log-in) and `<SERVICE>_DB_PASSWORD` for each role.
"""

import asyncio
import os
import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError

from migrations.bootstrap import SERVICES, bootstrap
from shared.process.connection_string import ConnectionStringError, connection_string

ROOT = Path(__file__).resolve().parent.parent


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
    asyncio.run(bootstrap(owner_url, passwords))
    if sys.argv[1:] != ["bootstrap"]:
        try:
            for service in SERVICES:
                upgrade(service)
        except CommandError as exc:
            sys.exit(f"migrations: {exc}")


if __name__ == "__main__":
    main()
