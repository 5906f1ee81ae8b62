"""What the catalog reads from its environment."""

from pydantic import NonNegativeInt

from shared.process.settings import ServiceSettings


class CatalogSettings(ServiceSettings):
    """The environment of the catalog."""

    run_retention_days: NonNegativeInt = 90
    """How long runs that OpenLineage reported are kept after their last event."""
