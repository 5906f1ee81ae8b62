"""The resource face, and what only our own services call."""

from services.records.routes import export, grants, internal, many, records, tables

routers = (
    records.router,
    many.router,
    tables.router,
    grants.router,
    export.router,
    internal.router,
)
