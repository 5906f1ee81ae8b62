"""The gateway's application; run it with `python -m gateway`."""

from starlette.types import ASGIApp

from gateway.app import Gateway, OwnPath
from gateway.docs import DOCS_PATHS
from gateway.operations import healthz, metrics, openapi, readyz
from gateway.settings import GatewaySettings
from shared.logging import configure_logging

OWN_PATHS: dict[str, OwnPath] = {
    "/healthz": healthz,
    "/readyz": readyz,
    "/metrics": metrics,
    "/openapi.json": openapi,
    **DOCS_PATHS,
}


def create_app() -> ASGIApp:
    """For `uvicorn gateway.main:create_app --factory`; settings come from the environment."""
    return gateway_app(GatewaySettings())


def gateway_app(settings: GatewaySettings) -> Gateway:
    """The application by given settings."""
    configure_logging(service="gateway", level=settings.log_level, log_format=settings.log_format)
    return Gateway(settings, OWN_PATHS)
