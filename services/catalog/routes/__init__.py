"""The catalog's HTTP face, by whom it serves: people, and (`internal`) other services."""

from services.catalog.routes import browsing, by_hand, graphs, internal

routers = (browsing.router, by_hand.router, graphs.router, internal.router)
