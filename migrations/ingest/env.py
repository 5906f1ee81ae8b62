"""Alembic's entry for the service ingest."""

import services.ingest.connections.tables
import services.ingest.feeds.tables
import services.ingest.tables
import services.ingest.uploads.tables
import services.ingest.webhooks.tables  # noqa: F401 - each adds its tables to the metadata
from migrations.environment import run
from services.ingest.books import metadata

run(metadata)
