"""The gateway's settings; environment names are the field names in capitals."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from gateway.routing import Service
from shared.process.settings import ProcessSettings

Network = IPv4Network | IPv6Network


class GatewaySettings(ProcessSettings):
    """What the gateway reads at its start; lists are comma-separated."""

    host: str = "127.0.0.1"
    """The address to listen on."""
    port: int = 8000
    """The port to listen on."""
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = ()
    """Addresses or networks whose `X-Forwarded-For` and `-Proto` are believed."""
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Origins whose pages may call the API from a browser; none by default."""
    admin_emails: Annotated[tuple[str, ...], NoDecode] = ()
    """Who gets mails about errors; empty sends none (and needs no SMTP settings)."""

    connect_timeout_s: float = 2
    """To reach a service."""
    answer_timeout_s: float = 60
    """From the end of the request to the first byte of the answer."""
    idle_timeout_s: float = 60
    """The longest silence in the middle of a body, either way."""
    head_timeout_s: float = 15
    """For a client to send a request's head."""
    stop_timeout_s: float = 30
    """How long running requests may go on after SIGTERM."""
    head_limit_bytes: int = 32 * 1024
    """Request line and headers together."""
    body_limit_bytes: int = 64 * 1024**2
    """Of every call but those that take files; a service may take less."""
    body_rate_bytes_per_s: int = Field(default=1024, ge=0)
    """The least at which a body may come, on average, once `body_grace_s` was spent waiting."""
    body_grace_s: float = 10
    """How long a body may keep the gateway waiting in all before its rate counts."""
    body_time_s: float = 6 * 3600
    """The longest that one body may take."""
    bodies_per_subject: int = Field(default=32, ge=1)
    """Bodies that one subject may be sending at once; what arrives in one piece is not counted."""
    exchanges_per_subject: int = Field(default=64, ge=1)
    """Requests of one subject that are with the services at once; its further ones wait."""
    connections_per_address: int = Field(default=2000, ge=1)
    """At this number the oldest one that has shown no access token is closed for a new one."""
    upstream_connections: int = 200
    """To each service."""

    rate_limit_requests_per_s: float = Field(default=100, gt=0)
    """Of one subject, or of one address without a token."""
    rate_limit_requests_burst: int = Field(default=300, ge=1)
    """How many may come at once before the rate counts."""
    rate_limit_sign_in_per_min: int = Field(default=60, ge=1)
    """Per address; OTP verification has a bucket of its own of the same size."""
    rate_limit_otp_per_h_email: int = Field(default=5, ge=1)
    """Codes asked for one mail address."""
    rate_limit_otp_per_h_address: int = Field(default=20, ge=1)
    """Codes asked for from one client address."""

    alert_window_s: float = 900
    """Between two digests of errors."""

    @field_validator("trusted_proxies", "cors_origins", "admin_emails", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        if isinstance(value, (tuple, list)):
            return tuple(ip_network(part) if isinstance(part, str) else part for part in value)
        return value

    def url_of(self, service: Service) -> str:
        """Where a service listens, without a slash at the end."""
        urls = {
            Service.AUTH: self.auth_url,
            Service.CATALOG: self.catalog_url,
            Service.RECORDS: self.records_url,
            Service.INGEST: self.ingest_url,
        }
        return urls[service].rstrip("/")
