"""Alembic's entry for the service ingest."""

from migrations.environment import run

# Not from `services.ingest.tables` itself: this module adds the tables of sources to it.
from services.ingest.sources.tables import metadata

run(metadata)
