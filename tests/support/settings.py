"""Settings for what is tested without a process around it."""

from shared.process.settings import ProcessSettings


def settings_with(*, auth_url: str) -> ProcessSettings:
    """What every process has; all but auth is at an address where nothing listens."""
    others = {f"{name}_url": "http://127.0.0.1:9" for name in ("catalog", "records", "ingest")}
    return ProcessSettings.model_validate(
        {"redis_url": "redis://127.0.0.1:9", "auth_url": auth_url, **others}
    )
