"""The containers are told what the local stack's processes are told, and hold no secrets."""

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from deploy.local.environment import (
    ALLOCATORS,
    ROOT,
    STORAGE_ACCESS,
    Addresses,
    migration_environment,
    process_environment,
)
from deploy.local.state import load_secrets
from gateway.settings import GatewaySettings
from migrations.bootstrap import SERVICES
from services.auth.settings import AuthSettings
from services.catalog.settings import CatalogSettings
from services.ingest.settings import WorkerSettings
from services.records.settings import RecordsSettings
from shared.process.settings import MailSettings

PROCESSES = (*SERVICES, "worker", "gateway")
SETTINGS_OF: dict[str, tuple[type[BaseSettings], ...]] = {
    "auth": (AuthSettings,),
    "catalog": (CatalogSettings,),
    "records": (RecordsSettings,),
    "ingest": (WorkerSettings,),
    "worker": (WorkerSettings,),
    "gateway": (GatewaySettings, MailSettings),
}
"""ingest knows the mail server too, which no import may call."""
LOCAL_ONLY = {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "TERM"} | {
    "PYTHONPATH",
    "PYTHONUNBUFFERED",
    "LOG_FORMAT",
    *ALLOCATORS,
}
"""The image sets all from PYTHONPATH on itself."""
MAIL = {"SMTP_HOST", "SMTP_PORT", "SMTP_SECURITY"}
SEND_NO_MAIL = ("catalog", "records")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    document = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
    found: dict[str, Any] = document["services"]
    return found


@pytest.fixture(scope="module")
def secrets_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("secrets") / "made"
    make_secrets(folder)
    return folder


def make_secrets(folder: Path) -> str:
    command = [sys.executable, str(ROOT / "deploy" / "make_secrets.py"), "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout


def settings_of(file: Path) -> dict[str, str]:
    pairs = (line.partition("=") for line in file.read_text().splitlines())
    return {name: value for name, _, value in pairs}


def told(service: dict[str, Any], folder: Path) -> set[str]:
    names = set(service.get("environment", {}))
    for file in service["env_file"]:
        names |= set(settings_of(folder / Path(file).name))
    return names


@pytest.mark.parametrize("name", PROCESSES)
def test_a_container_is_told_what_a_local_process_is_told(
    name: str, services: dict[str, Any], secrets_folder: Path, tmp_path: Path
) -> None:
    at = Addresses(
        gateway_port=8000,
        service_ports=dict.fromkeys(SERVICES, 8000),
        owner_url="postgresql://owner@db/x",
        redis_url="redis://r",
        smtp_host="mail",
        smtp_port=25,
        own_mail_catcher=True,
    )
    known = load_secrets(tmp_path)
    process = process_environment(name, at=at, known=known, state=tmp_path, given={})
    # What opens a storage that somebody has: they write it into ingest.env.
    local = {setting for setting in process if not setting.startswith(STORAGE_ACCESS)}
    wanted = local - LOCAL_ONLY - (MAIL if name in SEND_NO_MAIL else set())
    assert wanted <= told(services[name], secrets_folder)
    migrating = set(migration_environment(at, known, {})) - LOCAL_ONLY
    assert migrating <= told(services["migrations"], secrets_folder)


@pytest.mark.parametrize("name", PROCESSES)
def test_a_container_is_passed_every_setting_of_its_process_and_no_other(
    name: str, services: dict[str, Any], secrets_folder: Path
) -> None:
    read = {
        field.upper(): str(about.annotation)
        for kind in SETTINGS_OF[name]
        for field, about in kind.model_fields.items()
    }
    told_here = told(services[name], secrets_folder)
    # Log-ins stand in the files of secrets: Compose would put nothing in place of one it lacks.
    log_ins = {field for field, kind in read.items() if "SecretStr" in kind} | {"SMTP_USERNAME"}
    assert set(read) - log_ins - told_here == set()
    others = set(services[name]["environment"]) - set(read)
    assert {other for other in others if not other.startswith("OTEL_")} == {"FORWARDED_ALLOW_IPS"}
    assert log_ins & set(services[name]["environment"]) == set()


@pytest.mark.parametrize("name", PROCESSES)
def test_a_container_may_little(name: str, services: dict[str, Any]) -> None:
    service = services[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert service["healthcheck"]["test"][:2] == ["CMD", "python"]


def test_every_service_starts_after_the_migrations(services: dict[str, Any]) -> None:
    for name in (*SERVICES, "worker"):
        gate = services[name]["depends_on"]["migrations"]["condition"]
        assert gate == "service_completed_successfully"
    gates = services["gateway"]["depends_on"]
    assert {gates[name]["condition"] for name in SERVICES} == {"service_healthy"}


def test_only_the_gateway_is_published_and_on_this_machine(services: dict[str, Any]) -> None:
    published = {name: one["ports"] for name, one in services.items() if "ports" in one}
    assert published.pop("gateway") == ["${BIND:-127.0.0.1}:${PORT:-8000}:8000"]
    assert published == {"mailpit": ["127.0.0.1:${MAILPIT_PORT:-8025}:8025"]}
    assert services["mailpit"]["profiles"] == ["mailpit"]


def test_mails_go_to_whichever_mail_server_the_profile_starts(services: dict[str, Any]) -> None:
    for name in ("postfix", "mailpit"):
        assert services[name]["profiles"] == [name]
        assert services[name]["networks"]["inside"] == {"aliases": ["mail"]}
    assert services["mailpit"]["environment"]["MP_SMTP_BIND_ADDR"] == "0.0.0.0:587"
    for name in PROCESSES:
        told_to = services[name]["environment"]
        assert ("SMTP_HOST" in told_to) == (name not in SEND_NO_MAIL)
        assert told_to.get("SMTP_HOST", "${SMTP_HOST:-mail}") == "${SMTP_HOST:-mail}"
        assert told_to.get("SMTP_PORT", "${SMTP_PORT:-587}") == "${SMTP_PORT:-587}"


def test_what_compose_is_told_already_stays(tmp_path: Path) -> None:
    choices = tmp_path / ".env"
    choices.write_text("PUBLIC_URL=https://tables.example.com")
    make_secrets(tmp_path / "secrets")
    assert settings_of(choices) == {
        "PUBLIC_URL": "https://tables.example.com",
        "COMPOSE_PROFILES": "postfix",
    }
    choices.write_text("COMPOSE_PROFILES=mailpit\n")
    make_secrets(tmp_path / "secrets")
    assert choices.read_text() == "COMPOSE_PROFILES=mailpit\n"


def test_the_admins_log_in_is_what_the_service_is_told(secrets_folder: Path) -> None:
    told_auth = settings_of(secrets_folder / "auth.env")
    assert json.loads((secrets_folder / "admin.json").read_text()) == {
        "username": told_auth["FIRST_ADMIN_USERNAME"],
        "password": told_auth["FIRST_ADMIN_PASSWORD"],
    }
    assert stat.S_IMODE((secrets_folder / "admin.json").stat().st_mode) == 0o600


def test_secrets_are_their_owners_alone_and_stay(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make_secrets(folder)
    before = {file.name: file.read_text() for file in folder.iterdir()}
    for file in folder.glob("*.env"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert before[".gitignore"] == "*\n"
    # A file that a newer version wants is added; the rest is left as it is.
    (folder / "valkey.env").unlink()
    make_secrets(folder)
    assert {file.name: file.read_text() for file in folder.iterdir()} == before


def test_no_container_knows_another_ones_log_in(secrets_folder: Path) -> None:
    known = json.loads((secrets_folder / "known.json").read_text())
    for name in SERVICES:
        content = (secrets_folder / f"{name}.env").read_text()
        for other in SERVICES:
            assert (known[f"{other}_db_password"] in content) == (other == name)
        assert known["postgres_password"] not in content
        assert known["owner_password"] not in content
    assert make_secrets(secrets_folder).count(known["admin_password"]) == 0


def test_the_image_and_the_local_stack_have_the_same_allocators() -> None:
    image = (ROOT / "deploy" / "Dockerfile").read_text().split()
    assert {f"{name}={value}" for name, value in ALLOCATORS.items()} <= set(image)
