"""Alembic's entry for the service ingest."""

import services.ingest.connections.tables
import services.ingest.uploads.tables  # noqa: F401 - and it that of uploads
from migrations.environment import run
from services.ingest.tables import metadata

run(metadata)
