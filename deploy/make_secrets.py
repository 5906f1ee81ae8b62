"""Make the secrets of compose.yaml: one file of settings for each container, with mode 600.

Usage: python3 deploy/make_secrets.py [--folder deploy/secrets] [--admin-email ann@example.com]
           [--kubernetes] [--database-url postgresql://owner:…@host/db] [--redis-url redis://…]

Standard library only. What is there already is kept, so it can be run again after an upgrade that
needs a new secret; remove a file (and read docs/operations.md) to change what is in it. Beside the
folder it leaves `.env`, where Compose looks for what compose.yaml asks for: it starts Postfix.
With --kubernetes it does not: kustomize makes Secrets of the same files.
"""

import argparse
import base64
import json
import os
import secrets
import sys
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit, urlunsplit

SERVICES = ("auth", "catalog", "records", "ingest")
OWNER = "tabularium"
DATABASE = "tabularium"
ADMIN = "admin"


def main() -> None:
    """Write what is missing and say where the admin's log-in is."""
    parser = argparse.ArgumentParser(description="Make the secrets of compose.yaml.")
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / "secrets")
    parser.add_argument("--admin-email", default="admin@example.com")
    parser.add_argument("--kubernetes", action="store_true", help="no .env for Compose")
    parser.add_argument("--database-url", help="the owner's log-in, instead of our own PostgreSQL")
    parser.add_argument("--redis-url", help="instead of our own Valkey")
    given = parser.parse_args()
    folder: Path = given.folder
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    # The folder keeps itself out of Git wherever it lies.
    (folder / ".gitignore").write_text("*\n")
    known = _known(folder / "known.json", admin_email=given.admin_email)
    servers = Servers(given.database_url, given.redis_url)
    for name, settings in _files(known, servers).items():
        _write(folder / f"{name}.env", settings)
    log_in = {"username": ADMIN, "password": known["admin_password"]}
    if not (folder / "admin.json").exists():
        _private(folder / "admin.json", json.dumps(log_in) + "\n")
    sys.stdout.write(
        f"the secrets are in {folder}\nthe admin's log-in is in {folder / 'admin.json'}\n"
    )
    if not given.kubernetes:
        choices = folder.parent / ".env"
        _choose_mail_server(choices)
        sys.stdout.write(f"the settings of compose.yaml are listed in {choices}\n")


def _known(file: Path, *, admin_email: str) -> dict[str, str]:
    """The random values, made once; those of a newer version are added."""
    known: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    made = {
        "postgres_password": _word(),
        "owner_password": _word(),
        **{f"{service}_db_password": _word() for service in SERVICES},
        **{f"{service}_client_secret": _word() for service in SERVICES},
        "valkey_password": _word(),
        "signing_key_secret": _key(),
        "otp_pepper": _key(),
        "source_keys": _key(),
        "admin_password": secrets.token_urlsafe(15),
        "admin_email": admin_email,
    }
    known = made | known
    _private(file, json.dumps(known, indent=1) + "\n")
    return known


class Servers(NamedTuple):
    """Servers that are somebody's own; None: those of the containers."""

    database_url: str | None
    redis_url: str | None

    def database(self, known: dict[str, str]) -> str:
        """The owner's log-in."""
        password = quote(known["owner_password"], safe="")
        return self.database_url or f"postgresql://{OWNER}:{password}@postgresql:5432/{DATABASE}"

    def database_as(self, role: str, password: str, known: dict[str, str]) -> str:
        """The same server and database with another log-in."""
        parts = urlsplit(self.database(known))
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{role}:{quote(password, safe='')}@{host}"))

    def redis(self, known: dict[str, str]) -> str:
        """The log-in that all share."""
        password = quote(known["valkey_password"], safe="")
        return self.redis_url or f"redis://:{password}@valkey:6379/0"


def _files(known: dict[str, str], servers: Servers) -> dict[str, dict[str, str]]:
    """The settings of each container, without any other's log-in."""
    files = {
        "postgresql": {
            "POSTGRES_PASSWORD": known["postgres_password"],
            "OWNER_PASSWORD": known["owner_password"],
        },
        "valkey": {"VALKEY_PASSWORD": known["valkey_password"]},
        "gateway": {"REDIS_URL": servers.redis(known)},
        "migrations": {
            "DATABASE_URL": servers.database(known),
            **{f"{name.upper()}_DB_PASSWORD": known[f"{name}_db_password"] for name in SERVICES},
        },
    }
    for service in SERVICES:
        files[service] = {
            "DATABASE_URL": servers.database_as(service, known[f"{service}_db_password"], known),
            "REDIS_URL": servers.redis(known),
            "SERVICE_CLIENT_ID": service,
            "SERVICE_CLIENT_SECRET": known[f"{service}_client_secret"],
        }
    clients = {service: known[f"{service}_client_secret"] for service in SERVICES}
    files["auth"] |= {
        "SIGNING_KEY_SECRET": known["signing_key_secret"],
        "OTP_PEPPER": known["otp_pepper"],
        "INTERNAL_CLIENTS": json.dumps(clients, separators=(",", ":")),
        "FIRST_ADMIN_USERNAME": ADMIN,
        "FIRST_ADMIN_PASSWORD": known["admin_password"],
        "FIRST_ADMIN_EMAIL": known["admin_email"],
    }
    files["ingest"]["SOURCE_KEYS"] = known["source_keys"]
    return files


def _choose_mail_server(file: Path) -> None:
    """Postfix, unless the file says otherwise; what else it says stays."""
    before = file.read_text() if file.exists() else ""
    if not any(line.startswith("COMPOSE_PROFILES=") for line in before.splitlines()):
        gap = "" if before.endswith("\n") or not before else "\n"
        _private(file, f"{before}{gap}COMPOSE_PROFILES=postfix\n")


def _write(file: Path, settings: dict[str, str]) -> None:
    """Write a file unless it is there: a person may have changed it."""
    if file.exists():
        file.chmod(0o600)
        return
    # Compose reads $ as a variable; none of our alphabets has one, and JSON has none either.
    _private(file, "".join(f"{name}={value}\n" for name, value in settings.items()))


def _private(file: Path, content: str) -> None:
    unfinished = file.with_suffix(".part")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as output:
        output.write(content)
    unfinished.replace(file)


def _word() -> str:
    return secrets.token_urlsafe(32)


def _key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


if __name__ == "__main__":
    main()
