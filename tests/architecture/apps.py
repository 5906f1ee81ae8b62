"""The four services' apps, built and not run."""

import base64
import importlib
from functools import cache
from typing import Any

from fastapi import FastAPI

SERVICES = ("auth", "catalog", "records", "ingest")
NOWHERE = "127.0.0.1:9"


@cache
def app_of(service: str) -> FastAPI:
    """The app of a service, with settings that lead nowhere."""
    settings: dict[str, Any] = {
        **{f"{peer}_url": f"http://{NOWHERE}" for peer in SERVICES},
        "redis_url": f"redis://{NOWHERE}",
        "database_url": f"postgresql://{NOWHERE}/none",
        "service_client_id": service,
        "service_client_secret": "only-for-tests",
        "smtp_host": "127.0.0.1",
        "storage_url": "memory://",
        "signing_key_secret": base64.urlsafe_b64encode(bytes(32)).decode(),
        "otp_pepper": "only-for-tests-only",
        "internal_clients": {},
    }
    main = importlib.import_module(f"services.{service}.main")
    kind = getattr(
        importlib.import_module(f"services.{service}.settings"), f"{service.title()}Settings"
    )
    app: FastAPI = main.create_app(kind.model_validate(settings))
    return app
