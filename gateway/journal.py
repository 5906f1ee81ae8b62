"""What is recorded of each request once it is over: a metric, a log line, a count for admins.

A success has no line here; the service that answered it has one, under the same request id.
"""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from gateway.alerts.domain import Example, Kind
from gateway.alerts.watch import ErrorWatch
from gateway.metrics import answers_broken_off
from gateway.reply import Reply
from shared.http.health import QUIET_ROUTES, note_request
from shared.process import tracing

CLIENT_LEFT = "client_left"
CLIENT_LEFT_STATUS = 499
"""What metrics say where the client left before there was a status; nginx's number for it."""

log = structlog.get_logger()


@dataclass(slots=True)
class Entry:
    """One request, as far as it is known while it runs."""

    method: str
    route: str = "unrouted"
    subject: str | None = None
    broken_because: str | None = None
    """Why the answer ended too early: `client_left`, or the problem's code."""
    started: float = field(default_factory=time.perf_counter)


def record(entry: Entry, reply: Reply, watch: ErrorWatch | None) -> None:
    """Record one request."""
    duration_s = time.perf_counter() - entry.started
    status = reply.status or CLIENT_LEFT_STATUS
    note_request("gateway", entry.method, entry.route, status=status, duration_s=duration_s)
    tracing.answered(entry.method, entry.route, status)
    tracing.note({"tabularium.request_id": reply.request_id})
    if entry.broken_because is None and 200 <= status < 300:
        return
    if entry.route in QUIET_ROUTES:
        return
    fields = {
        "method": entry.method,
        "route": entry.route,
        "status": status,
        "duration_ms": round(duration_s * 1000, 1),
        "subject": entry.subject,
        "code": reply.code,
    }
    if entry.broken_because is not None:
        answers_broken_off.labels(entry.broken_because).inc()
        log.warning("answer_broken_off", because=entry.broken_because, **fields)
        if entry.broken_because != CLIENT_LEFT:
            _count(entry, reply, watch, status=status, code="broken_off", duration_s=duration_s)
    elif status < 400:
        log.info("answer_redirects", **fields)
    else:
        log.error("answer_refused", **fields)
        _count(entry, reply, watch, status=status, code=reply.code, duration_s=duration_s)


def _count(
    entry: Entry,
    reply: Reply,
    watch: ErrorWatch | None,
    *,
    status: int,
    code: str | None,
    duration_s: float,
) -> None:
    if watch is None:
        return
    watch.note(
        Kind.of(method=entry.method, route=entry.route, status=status, code=code),
        Example(
            at=datetime.now(UTC),
            request_id=reply.request_id,
            subject=entry.subject,
            duration_ms=round(duration_s * 1000, 1),
        ),
    )


def record_unread(status: int, code: str, *, request_id: str, watch: ErrorWatch | None) -> None:
    """Record a request whose head was refused while it was read."""
    note_request("gateway", "?", "unread", status=status, duration_s=0)
    log.error("head_refused", status=status, code=code, request_id=request_id)
    if watch is not None:
        example = Example(datetime.now(UTC), request_id, subject=None, duration_ms=0)
        watch.note(Kind.of(method="?", route="unread", status=status, code=code), example)
