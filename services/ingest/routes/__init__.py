"""HTTP in and out: the resource face, the verb face, and what our own services ask."""

from services.ingest.routes import connections, imports, internal, mail, uploads, verbs

routers = (
    verbs.router,
    imports.router,
    uploads.router,
    mail.router,
    connections.router,
    internal.router,
)
