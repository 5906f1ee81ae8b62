"""The import service's API: `uvicorn services.ingest.main:create_app --factory`."""

from fastapi import FastAPI

from services.ingest.books import BOOKS
from services.ingest.dependencies import still_visible
from services.ingest.process import opened
from services.ingest.routes import routers
from services.ingest.routes.messages import MESSAGES
from services.ingest.settings import IngestSettings
from shared.http.app import build_app
from shared.process.settings import of_environment
from shared.store.redis import probe_redis


def create_app(settings: IngestSettings | None = None) -> FastAPI:
    """The app; settings come from the environment unless a test gives them."""
    return build_app(
        settings or of_environment(IngestSettings),
        service="ingest",
        title="Tabularium: ingest",
        opened=opened,
        routers=routers,
        books=BOOKS,
        may_have=still_visible,
        messages=MESSAGES,
        probes={
            "redis": lambda process: probe_redis(process.redis),
            "storage": lambda process: process.storage.probe(),
        },
    )
