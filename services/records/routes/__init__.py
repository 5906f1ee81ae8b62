"""The resource face, the verb face, and what only our own services call."""

from services.records.routes import bulk, export, grants, internal, records, tables, verbs

routers = (
    records.router,
    bulk.router,
    tables.router,
    grants.router,
    export.router,
    internal.router,
    verbs.router,
)
