"""Schemas of the services: roles and schemas first (`bootstrap`), then one Alembic section each."""
