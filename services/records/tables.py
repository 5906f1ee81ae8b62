"""Mapped tables of the service, in its own schema `records`."""

from shared.database import metadata_of

metadata = metadata_of("records")
