"""Alembic's entry for the service ingest."""

from migrations.environment import run
from services.ingest.tables import metadata

run(metadata)
