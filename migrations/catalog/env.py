"""Alembic's entry for the service catalog."""

from migrations.environment import run
from services.catalog.tables import metadata

run(metadata)
