"""The id that follows a request through gateway, services, worker, logs and answers."""

import re
import secrets
from contextvars import ContextVar

HEADER = "X-Request-ID"
_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,64}")

current_request_id: ContextVar[str | None] = ContextVar("current_request_id", default=None)


def accepted_or_new(candidate: str | None) -> str:
    """Keep an id that matches `[A-Za-z0-9._-]{1,64}`, else make one."""
    if candidate is not None and _ACCEPTED.fullmatch(candidate):
        return candidate
    return secrets.token_hex(12)
