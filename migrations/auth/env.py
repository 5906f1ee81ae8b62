"""Alembic's entry for the service auth."""

from migrations.environment import run
from services.auth.tables import metadata

run(metadata)
