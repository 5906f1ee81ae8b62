"""The auth service's process: `uvicorn services.auth.main:create_app --factory`."""

from fastapi import FastAPI

from services.auth.dependencies import may_still
from services.auth.process import opened
from services.auth.routes import routers
from services.auth.settings import AuthSettings
from services.auth.tables import BOOKS
from shared.http.app import build_app
from shared.process.settings import of_environment

BODY_LIMIT_BYTES = 65_536
"""Far more than any body that auth takes."""


def create_app(settings: AuthSettings | None = None) -> FastAPI:
    """The auth service; settings come from the environment unless a test gives them."""
    return build_app(
        settings or of_environment(AuthSettings),
        service="auth",
        title="Tabularium: auth",
        opened=opened,
        routers=routers,
        body_limit_bytes=BODY_LIMIT_BYTES,
        books=BOOKS,
        may_have=may_still,
    )
