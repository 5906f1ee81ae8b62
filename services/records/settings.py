"""Settings of the service, read from its environment."""

from pydantic import Field

from shared.process.settings import ServiceSettings

BODY_LIMIT_BYTES = 64 * 1024**2
"""The largest body of a request; 10,000 records of 6 KiB."""


class RecordsSettings(ServiceSettings):
    """What the records service reads besides the common settings."""

    service_client_id: str = "records"
    engine_pool_size: int = Field(default=5, ge=2)
    """Connections for what also writes audit or outbox: DDL, grants, bulk changes."""
    statements_per_subject: int = Field(default=4, ge=1)
    """Statements of one subject that run at once in one process; its further calls wait."""
    summary_timeout_s: float = Field(default=10, gt=0)
    """For a summary of records."""
    summaries_at_once: int = Field(default=4, ge=1)
    """Summaries that run at once in one process; one subject has all but one of these places."""
    export_pool_size: int = Field(default=4, ge=1)
    """Exports that run at once in one process; one subject has all but one of these places."""
    export_stall_s: float = Field(default=60, gt=0)
    """An export whose client takes nothing for so long is ended."""
    export_least_bytes_per_s: int = Field(default=1024, ge=0)
    """So is one whose client takes less than that on average, from the same time on."""
