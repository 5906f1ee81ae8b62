"""The catalog's process: `uvicorn services.catalog.main:create_app --factory`."""

from fastapi import FastAPI

from services.catalog.process import opened
from services.catalog.routes import routers
from services.catalog.settings import CatalogSettings
from services.catalog.tables import BOOKS
from shared.http.app import build_app
from shared.process.settings import of_environment


def create_app(settings: CatalogSettings | None = None) -> FastAPI:
    """The catalog; settings come from the environment unless a test gives them."""
    return build_app(
        settings or of_environment(CatalogSettings),
        service="catalog",
        title="Tabularium catalog",
        opened=opened,
        routers=routers,
        books=BOOKS,
    )
