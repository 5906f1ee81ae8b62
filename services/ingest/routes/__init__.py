"""HTTP in and out: the resource face, the verb face, and what our own services ask."""

from services.ingest.routes import (
    connections,
    feeds,
    follow_ups,
    imports,
    internal,
    mail,
    previews,
    reports,
    uploads,
    verbs,
    webhooks,
)

routers = (
    verbs.router,
    imports.router,
    follow_ups.router,
    reports.router,
    uploads.router,
    mail.router,
    previews.router,
    connections.router,
    webhooks.router,
    feeds.router,
    internal.router,
)
