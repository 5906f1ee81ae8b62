"""Mapped tables of the service, in its own schema `auth`."""

from shared.database import metadata_of

metadata = metadata_of("auth")
