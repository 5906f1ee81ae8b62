"""Alembic's entry for the service ingest."""

import services.ingest.connections.tables  # noqa: F401 - it adds the tables of sources
from migrations.environment import run
from services.ingest.tables import metadata

run(metadata)
