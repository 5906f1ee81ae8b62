"""The id that follows a request through gateway, services, worker, logs and answers."""

import random
import re
from contextvars import ContextVar

from shared.process.tracing import trace_id

HEADER = "X-Request-ID"
_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,64}")

current_request_id: ContextVar[str | None] = ContextVar("current_request_id", default=None)


def accepted_or_new(candidate: str | None) -> str:
    """Keep an id that matches `[A-Za-z0-9._-]{1,64}`, else make one: the trace's, if it has one."""
    if candidate is not None and _ACCEPTED.fullmatch(candidate):
        return candidate
    # An id, no secret: the system's generator would take longer than checking the token.
    return trace_id() or f"{random.getrandbits(96):024x}"
