"""Mapped tables of the service, in its own schema `ingest`."""

from shared.database import metadata_of

metadata = metadata_of("ingest")
