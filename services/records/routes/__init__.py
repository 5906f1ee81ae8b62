"""The resource face, and what only our own services call."""

from services.records.routes import (
    bulk,
    export,
    grants,
    internal,
    records,
    tables,
)

routers = (
    records.router,
    bulk.router,
    tables.router,
    grants.router,
    export.router,
    internal.router,
)
