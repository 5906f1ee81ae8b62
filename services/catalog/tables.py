"""Mapped tables of the service, in its own schema `catalog`."""

from shared.database import metadata_of

metadata = metadata_of("catalog")
