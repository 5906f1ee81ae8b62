"""The resource face, and what only our own services call."""

from services.records.routes import export, grants, internal, many, records, tables

routers = (
    tables.router,
    grants.router,
    records.router,
    many.router,
    export.router,
    internal.router,
)
