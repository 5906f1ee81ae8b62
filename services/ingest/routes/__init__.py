"""HTTP in and out: the resource face, the verb face, and what our own services ask."""

from services.ingest.routes import connections, imports, internal, verbs

routers = (verbs.router, imports.router, connections.router, internal.router)
