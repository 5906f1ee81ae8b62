"""The resource face, the verb face, and what only our own services call."""

from services.records.routes import bulk, export, grants, internal, records, summary, tables, verbs

routers = (
    records.router,
    bulk.router,
    tables.router,
    grants.router,
    summary.router,
    export.router,
    internal.router,
    verbs.router,
)
