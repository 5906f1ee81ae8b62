"""Settings that more than one process reads from its environment; validated at start."""

from enum import StrEnum
from typing import Literal

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class LogFormat(StrEnum):
    """How log lines look; `auto` is pretty on a terminal and JSON elsewhere."""

    AUTO = "auto"
    JSON = "json"
    PRETTY = "pretty"


class ProcessSettings(BaseSettings):
    """What every process has."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: LogFormat = LogFormat.AUTO
    redis_url: SecretStr
    auth_url: str
    catalog_url: str
    records_url: str
    ingest_url: str
    public_url: str = "http://127.0.0.1:8000"
    """Where people reach the gateway; links in mails start with it."""
    token_issuer: str = "tabularium"  # noqa: S105 - a name
    token_audience: str = "tabularium"  # noqa: S105 - a name


class ServiceSettings(ProcessSettings):
    """What every service with a database role has."""

    database_url: SecretStr
    """`postgresql://role:password@host:port/database`."""
    database_pool_size: int = 10
    service_client_id: str
    """The machine client this service is to its peers, for example `records`."""
    service_client_secret: SecretStr


class MailSettings(BaseSettings):
    """The SMTP server, for processes that send mail."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    smtp_host: str
    smtp_port: int = 587
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_timeout_s: float = 15
    mail_from: str = "Tabularium <tabularium@localhost>"
