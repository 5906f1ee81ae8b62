"""Settings that more than one process reads from its environment; validated at start."""

import os
import sys
from enum import StrEnum
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.process.connection_string import DatabaseUrl
from shared.process.setting_names import misspelt


class LogFormat(StrEnum):
    """How log lines look; `auto` is pretty on a terminal and JSON elsewhere."""

    AUTO = "auto"
    JSON = "json"
    PRETTY = "pretty"


Kind = TypeVar("Kind", bound=BaseSettings)


def of_environment(kind: type[Kind]) -> Kind:
    """Settings from the environment; a wrong one ends the process (2) with a line that names it.

    A name that resembles a setting of this process and is none is named too, and ignored.
    """
    meant = misspelt(os.environ, settings=[field.upper() for field in kind.model_fields])
    sys.stderr.writelines(unknown_setting(name, setting) for name, setting in meant.items())
    try:
        return kind()
    except ValidationError as exc:
        # Of one setting that may be this or that, one reason is enough.
        reasons = {
            str(error["loc"][0]).upper(): error["msg"].removeprefix("Value error, ")
            for error in exc.errors(include_input=False, include_url=False)
        }
        sys.stderr.writelines(f"{name}: {reason}\n" for name, reason in reasons.items())
        sys.exit(2)


def unknown_setting(name: str, meant: str | None) -> str:
    """The line about a name that is no setting."""
    guess = f"; did you mean {meant}?" if meant else ""
    return f"{name} is not a setting and is ignored{guess}\n"


def _redis_url(url: SecretStr) -> SecretStr:
    scheme, _, rest = url.get_secret_value().partition("://")
    if scheme not in ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel"):
        raise ValueError("it begins with redis://, rediss:// or redis+sentinel://")
    if scheme.endswith("+sentinel") and not rest.partition("/")[2]:
        raise ValueError("a Sentinel's URL ends with its service: redis+sentinel://host:26379/name")
    return url


RedisUrl = Annotated[SecretStr, AfterValidator(_redis_url)]


class ProcessSettings(BaseSettings):
    """What every process has."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """What is logged at the least."""
    log_format: LogFormat = LogFormat.AUTO
    """`auto` is `pretty` on a terminal and `json` elsewhere."""
    redis_url: RedisUrl
    """`redis://…`, `rediss://…` or `redis+sentinel://host,host/service/0`."""
    auth_url: str
    """Where this process reaches auth."""
    catalog_url: str
    """Where this process reaches the catalog."""
    records_url: str
    """Where this process reaches records."""
    ingest_url: str
    """Where this process reaches ingest."""
    public_url: str = "http://127.0.0.1:8000"
    """Where people reach the gateway; links in mails start with it."""
    metrics_port: int | None = None
    """Where `/metrics` is, apart from everything else; by default beside the process's routes."""
    metrics_host: str = "127.0.0.1"
    """The address that `metrics_port` is opened on."""
    otel_exporter_otlp_endpoint: str | None = None
    """A receiver of traces by OTLP over HTTP; what else begins with OTEL_ is for its SDK."""
    otel_exporter_otlp_protocol: Literal["http/protobuf"] = "http/protobuf"
    """How traces are sent."""
    token_issuer: str = "tabularium"  # noqa: S105 - a name
    """What access tokens name as their issuer."""
    token_audience: str = "tabularium"  # noqa: S105 - a name
    """What access tokens name as their audience."""


class ServiceSettings(ProcessSettings):
    """What every service with a database role has."""

    database_url: DatabaseUrl
    """`postgresql://role:password@host:port/database?sslmode=…`, as a provider prints it."""
    listen_database_url: DatabaseUrl | None = None
    """The same database and log-in past a pooler: none delivers notices."""
    export_database_url: DatabaseUrl | None = None
    """A read replica with the same log-in, where records runs exports."""
    database_pool_size: int = 10
    """Connections to PostgreSQL of this process."""
    service_client_id: str
    """The machine client this service is to its peers, for example `records`."""
    service_client_secret: SecretStr
    """The secret of that machine client."""

    @property
    def direct_url(self) -> str:
        """The way to the database past any pooler."""
        return (self.listen_database_url or self.database_url).get_secret_value()

    @property
    def own_databases(self) -> tuple[str, ...]:
        """Every way to the installation's own database."""
        replica = self.export_database_url
        others = () if replica is None else (replica.get_secret_value(),)
        return self.database_url.get_secret_value(), self.direct_url, *others


class MailSettings(BaseSettings):
    """The SMTP server, for processes that send mail."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    smtp_host: str
    """The mail server."""
    smtp_port: int = 587
    """587 for `starttls`, 465 for `tls`, usually."""
    smtp_username: str | None = None
    """Without it the server is used without a log-in."""
    smtp_password: SecretStr | None = None
    """Its password."""
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    """`starttls` refuses to go on without TLS."""
    smtp_timeout_s: float = 15
    """For connecting, and for each answer."""
    mail_from: str = "Tabularium <tabularium@localhost>"
    """The sender of mails."""
