"""The gateway's application; run it with `python -m gateway`."""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from gateway.app import METRICS_PATH, Gateway, OwnPath
from gateway.docs import DOCS_PATHS
from gateway.operations import healthz, metrics, openapi, readyz
from gateway.page import APP_PATHS
from gateway.settings import GatewaySettings
from shared.process.logging import configure_logging
from shared.process.settings import MailSettings, of_environment
from shared.security.tokens import KeySource

OWN_PATHS: dict[str, OwnPath] = {
    "/healthz": healthz,
    "/readyz": readyz,
    METRICS_PATH: metrics,
    "/openapi.json": openapi,
    **DOCS_PATHS,
    **APP_PATHS,
}

EXPOSED_HEADERS = (
    "ETag",
    "Link",
    "Location",
    "Retry-After",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "X-Request-ID",
    "Content-Disposition",
)


def create_app() -> ASGIApp:
    """For `uvicorn gateway.main:create_app --factory`; settings come from the environment."""
    return around(gateway_from_environment())


def gateway_from_environment() -> Gateway:
    """The application by the environment's settings; SMTP only where admins get mails."""
    settings = of_environment(GatewaySettings)
    mail = of_environment(MailSettings) if settings.admin_emails else None
    return gateway_app(settings, mail=mail)


def gateway_app(
    settings: GatewaySettings, *, mail: MailSettings | None = None, keys: KeySource | None = None
) -> Gateway:
    """The application by given settings; the keys of access tokens are auth's unless given."""
    configure_logging(service="gateway", level=settings.log_level, log_format=settings.log_format)
    return Gateway(settings, OWN_PATHS, mail=mail, keys=keys)


def around(app: Gateway) -> ASGIApp:
    """The application with what stands around it by its settings: CORS, if any origin may call.

    Tokens travel in a header, never in a cookie, so credentials stay off.
    """
    origins = app.settings.cors_origins
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"),
        allow_headers=(
            "Authorization",
            "Content-Type",
            "Idempotency-Key",
            "If-Match",
            "If-None-Match",
            "Last-Event-ID",
            "X-Request-ID",
        ),
        expose_headers=EXPOSED_HEADERS,
        max_age=600,
    )
