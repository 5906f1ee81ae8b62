"""Every setting that a process reads stands in `.env.example` and in the list of names."""

import importlib
import re

from pydantic_settings import BaseSettings

from deploy.local.environment import ROOT
from migrations.bootstrap import SERVICES
from shared.process.setting_names import SETTINGS

MODULES = (
    "shared.process.settings",
    *(f"services.{name}.settings" for name in ("auth", "catalog", "records", "ingest")),
    "gateway.settings",
)
MADE_BY_THE_LAUNCHER = {
    *("AUTH_URL", "CATALOG_URL", "RECORDS_URL", "INGEST_URL"),
    *("SERVICE_CLIENT_ID", "SERVICE_CLIENT_SECRET", "INTERNAL_CLIENTS"),
    *("SIGNING_KEY_SECRET", "OTP_PEPPER"),
    *("FIRST_ADMIN_USERNAME", "FIRST_ADMIN_PASSWORD", "FIRST_ADMIN_EMAIL"),
}
READ_BY_THE_LAUNCHER = {"STATE_DIR", "PG_BIN", "REDIS_BIN", "DEMO_URL", "DEMO_LOG_IN"}
READ_BY_THE_MIGRATIONS = {"STATEMENT_TIMEOUT_S"}


def read_by_processes() -> set[str]:
    names: set[str] = set()
    for module in map(importlib.import_module, MODULES):
        for thing in vars(module).values():
            if isinstance(thing, type) and issubclass(thing, BaseSettings):
                names |= {field.upper() for field in thing.model_fields}
    return names


def test_the_example_shows_every_setting_and_no_other() -> None:
    text = (ROOT / ".env.example").read_text()
    shown = set(re.findall(r"^#?([A-Z0-9_]+)=", text, re.MULTILINE))
    elsewhere = READ_BY_THE_LAUNCHER | READ_BY_THE_MIGRATIONS
    assert shown == (read_by_processes() - MADE_BY_THE_LAUNCHER) | elsewhere


def test_a_setting_is_known_to_every_process_by_its_name() -> None:
    migrations = {f"{service.upper()}_DB_PASSWORD" for service in SERVICES} | READ_BY_THE_MIGRATIONS
    assert read_by_processes() | READ_BY_THE_LAUNCHER | migrations == SETTINGS
