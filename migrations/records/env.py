"""Alembic's entry for the service records."""

from migrations.environment import run
from services.records.tables import metadata

run(metadata)
