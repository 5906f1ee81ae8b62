"""The resource face, the verb face, and what only our own services call."""

from services.records.routes import (
    bulk,
    export,
    grants,
    internal,
    query,
    records,
    summary,
    tables,
    verbs,
)

routers = (
    records.router,
    bulk.router,
    query.router,
    tables.router,
    grants.router,
    summary.router,
    export.router,
    internal.router,
    verbs.router,
)
