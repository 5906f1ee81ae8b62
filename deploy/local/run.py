"""`python -m deploy.local.run PROCESS COMMAND…`: a command with the settings of a running process.

As `docker compose exec` does it in containers. PROCESS is auth, catalog, records, ingest, worker,
gateway, or migrations (the owner's log-in): `… run ingest python -m services.ingest.rotate`.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deploy.local.__main__ import settings_given
from deploy.local.environment import (
    MEASURED,
    ROOT,
    Addresses,
    migration_environment,
    process_environment,
)
from deploy.local.state import load_secrets
from migrations.bootstrap import SERVICES

MIGRATIONS = "migrations"


def main() -> None:
    """Become the command; exit 1 with one line when no stack runs, 2 for an unknown process."""
    if len(sys.argv) < 3 or sys.argv[1] not in (*MEASURED, MIGRATIONS):
        sys.stderr.write(f"usage: {' | '.join((*MEASURED, MIGRATIONS))}, then a command\n")
        sys.exit(2)
    name, *command = sys.argv[1:]
    given = settings_given()
    state = Path(given.get("STATE_DIR", ROOT / "var")).resolve()
    try:
        at = _addresses(json.loads((state / "run.json").read_text()))
    except FileNotFoundError:
        sys.exit(f"tabularium: no stack runs from {state}; start it with `make up`")
    known = load_secrets(state)
    if name == MIGRATIONS:
        environment = migration_environment(at, known, given)
    else:
        environment = process_environment(name, at=at, known=known, state=state, given=given)
    environment.pop("METRICS_PORT", None)  # the process itself has it open
    try:
        os.execvpe(command[0], command, environment)  # noqa: S606 - what the person asked for
    except FileNotFoundError:
        sys.exit(f"tabularium: there is no command {command[0]}")


def _addresses(running: dict[str, Any]) -> Addresses:
    """Where everything listens, by `run.json`."""
    services = {service: _port(running["services"][service]) for service in SERVICES}
    return Addresses(
        gateway_port=_port(running["url"]),
        service_ports=services,
        owner_url=running["owner_url"],
        redis_url=running["redis_url"],
        smtp_host=running["smtp_host"],
        smtp_port=running["smtp_port"],
        own_mail_catcher="mail catcher" in running["pids"],
    )


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


if __name__ == "__main__":
    main()
