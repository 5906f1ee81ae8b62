"""What the catalog reads from its environment."""

from shared.process.settings import ServiceSettings


class CatalogSettings(ServiceSettings):
    """The settings that every service has; the catalog needs no others."""
