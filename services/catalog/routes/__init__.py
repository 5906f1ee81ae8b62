"""The catalog's HTTP face, by whom it serves: people, other services, users of older systems."""

from services.catalog.routes import (
    browsing,
    by_hand,
    graphs,
    internal,
    namespaces,
    notes,
    openlineage,
    profiles,
    runs,
    verbs,
)

routers = (
    browsing.router,
    by_hand.router,
    graphs.router,
    namespaces.router,
    notes.router,
    profiles.router,
    runs.router,
    openlineage.router,
    internal.router,
    verbs.router,
)
