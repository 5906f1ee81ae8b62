"""The settings of each process of the local stack: addresses, log-ins, secrets."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from deploy.local.processes import free_port
from deploy.local.state import ADMIN_EMAIL, ADMIN_USERNAME, Secrets
from migrations.bootstrap import SERVICES

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
STORAGE_ACCESS = "AWS_"
"""How the names of what opens an S3 storage begin; its client reads them itself."""
MEASURED = ("gateway", *SERVICES, "worker")
"""Who has metrics, in the order of their ports."""
OTHER_DATABASES = ("LISTEN_DATABASE_URL", "EXPORT_DATABASE_URL")
"""Settings that name other ways to the database, where each service logs in as itself."""
ALLOCATORS = {
    # glibc gives each thread a heap of its own and seldom hands one back.
    "MALLOC_ARENA_MAX": "2",
    # Arrow's own allocator keeps what it got, beside glibc's and that of polars.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}
"""How every process gets its memory; the image sets the same."""
LOOPBACK_AND_PUBLIC = "public,127.0.0.0/8,::1/128"
"""Where the local stack lets database sources be."""


@dataclass(frozen=True)
class Addresses:
    """Where everything listens; chosen anew at each start, but for the gateway's port."""

    gateway_port: int
    service_ports: Mapping[str, int]
    owner_url: str
    redis_url: str
    smtp_host: str
    smtp_port: int
    own_mail_catcher: bool
    metrics_port: int | None = None

    @property
    def public_url(self) -> str:
        """Where people go."""
        return f"http://{HOST}:{self.gateway_port}"

    def service_url(self, service: str) -> str:
        """Where a service listens."""
        return f"http://{HOST}:{self.service_ports[service]}"

    def metrics_ports(self) -> Mapping[str, int]:
        """Where each process has its metrics: from METRICS_PORT on; nothing without it."""
        if self.metrics_port is None:
            return {}
        return {name: self.metrics_port + place for place, name in enumerate(MEASURED)}


def with_log_in(url: str, role: str, password: str) -> str:
    """A database URL with another log-in."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    netloc = f"{quote(role, safe='')}:{quote(password, safe='')}@{host}"
    return urlunsplit(parts._replace(netloc=netloc))


def addresses(
    *, gateway_port: int, owner_url: str, redis_url: str, given: Mapping[str, str]
) -> Addresses:
    """Free ports for the services; the mail server that is set, or one of our own."""
    return Addresses(
        gateway_port=gateway_port,
        service_ports={service: free_port() for service in SERVICES},
        owner_url=owner_url,
        redis_url=redis_url,
        smtp_host=given.get("SMTP_HOST", HOST),
        smtp_port=int(given.get("SMTP_PORT", "587")) if "SMTP_HOST" in given else free_port(),
        own_mail_catcher="SMTP_HOST" not in given,
        metrics_port=int(given["METRICS_PORT"]) if "METRICS_PORT" in given else None,
    )


def migration_environment(
    at: Addresses, known: Secrets, given: Mapping[str, str]
) -> dict[str, str]:
    """For `python -m migrations`."""
    passwords = {f"{name.upper()}_DB_PASSWORD": known.database_passwords[name] for name in SERVICES}
    timeout = {name: given[name] for name in ("STATEMENT_TIMEOUT_S",) if name in given}
    return {**_base(), "DATABASE_URL": at.owner_url, **passwords, **timeout}


def process_environment(
    name: str, *, at: Addresses, known: Secrets, state: Path, given: Mapping[str, str]
) -> dict[str, str]:
    """For a service (`auth` … `ingest`), the `worker`, the `gateway`, or the `mail catcher`.

    Each process gets its own log-ins and no other's; settings that a person gave win, but for
    the addresses and log-ins that the stack made.
    """
    if name == "mail catcher":
        return _base()
    environment = {
        "SMTP_SECURITY": "none",
        **_base(),
        **{key: value for key, value in given.items() if not _is_for_few(key)},
        "REDIS_URL": at.redis_url,
        "PUBLIC_URL": given.get("PUBLIC_URL", at.public_url),
        "SMTP_HOST": at.smtp_host,
        "SMTP_PORT": str(at.smtp_port),
        **{f"{service.upper()}_URL": at.service_url(service) for service in SERVICES},
    }
    if at.metrics_port is not None:
        environment["METRICS_PORT"] = str(at.metrics_ports()[name])
    if not at.own_mail_catcher:
        environment["SMTP_SECURITY"] = given.get("SMTP_SECURITY", "starttls")
    if name == "gateway":
        return environment | {
            "HOST": given.get("HOST", HOST),
            "PORT": str(at.gateway_port),
            "ADMIN_EMAILS": given.get("ADMIN_EMAILS", ADMIN_EMAIL),
        }
    service = "ingest" if name == "worker" else name
    databases = {"DATABASE_URL": at.owner_url} | {
        setting: given[setting] for setting in OTHER_DATABASES if setting in given
    }
    environment |= {
        **{
            setting: with_log_in(url, service, known.database_passwords[service])
            for setting, url in databases.items()
        },
        "SERVICE_CLIENT_ID": service,
        "SERVICE_CLIENT_SECRET": known.client_secrets[service],
    }
    return environment | _own(service, known=known, state=state, given=given)


def _own(service: str, *, known: Secrets, state: Path, given: Mapping[str, str]) -> dict[str, str]:
    if service == "auth":
        return {
            "SIGNING_KEY_SECRET": known.signing_key_secret,
            "OTP_PEPPER": known.otp_pepper,
            "INTERNAL_CLIENTS": json.dumps(known.client_secrets),
            "FIRST_ADMIN_USERNAME": ADMIN_USERNAME,
            "FIRST_ADMIN_PASSWORD": known.admin_password,
            "FIRST_ADMIN_EMAIL": ADMIN_EMAIL,
        }
    if service == "ingest":
        return {
            "STORAGE_URL": given.get("STORAGE_URL", (state / "storage").resolve().as_uri()),
            "SOURCE_KEYS": given.get("SOURCE_KEYS", known.source_key),
            "SOURCE_ALLOWED_NETWORKS": given.get("SOURCE_ALLOWED_NETWORKS", LOOPBACK_AND_PUBLIC),
            **{key: value for key, value in os.environ.items() if key.startswith(STORAGE_ACCESS)},
            **{key: value for key, value in given.items() if key.startswith(STORAGE_ACCESS)},
        }
    return {}


def _is_for_few(setting: str) -> bool:
    """Whether not every process may have it."""
    alone = ("DATABASE_URL", "REDIS_URL", *OTHER_DATABASES)
    return setting in alone or setting.startswith(STORAGE_ACCESS)


def _base() -> dict[str, str]:
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "TERM")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "LOG_FORMAT": "json",
        **ALLOCATORS,
    }


def command(name: str, *, at: Addresses, state: Path) -> list[str]:
    """How a process is started."""
    if name == "worker":
        return [sys.executable, "-m", "services.ingest.worker"]
    if name == "gateway":
        return [sys.executable, "-m", "gateway"]
    if name == "mail catcher":
        folder = str(state / "mail")
        return [sys.executable, "-m", "deploy.local.mail_catcher", str(at.smtp_port), folder]
    return [
        *(sys.executable, "-m", "uvicorn", f"services.{name}.main:create_app", "--factory"),
        *("--host", HOST, "--port", str(at.service_ports[name])),
        *("--no-access-log", "--no-server-header", "--timeout-graceful-shutdown", "10"),
    ]
