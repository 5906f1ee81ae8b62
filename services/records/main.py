"""The records service's process: `uvicorn services.records.main:create_app --factory`."""

from fastapi import FastAPI

from services.records.dependencies import still_sees_table
from services.records.process import opened
from services.records.routes import routers
from services.records.routes.fast_path import fast_path
from services.records.schemas import TableMessage
from services.records.settings import BODY_LIMIT_BYTES, RecordsSettings
from services.records.tables import BOOKS
from shared.contracts.events import TableEventType
from shared.http.app import build_app
from shared.process.settings import of_environment


def create_app(settings: RecordsSettings | None = None) -> FastAPI:
    """The records service; settings come from the environment unless a test gives them."""
    settings = settings or of_environment(RecordsSettings)
    app = build_app(
        settings,
        service="records",
        title="Tabularium records",
        opened=opened,
        routers=routers,
        body_limit_bytes=BODY_LIMIT_BYTES,
        books=BOOKS,
        may_have=still_sees_table,
        messages={event.value: TableMessage for event in TableEventType},
    )
    app.middleware_stack = fast_path(app, settings)
    return app
