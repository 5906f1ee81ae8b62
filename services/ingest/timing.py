"""How fast an import is, and how long it still takes; pure arithmetic."""

from datetime import datetime

from services.ingest.domain import Run, State


def elapsed_s(run: Run, *, now: datetime) -> float:
    """Seconds from the start of the newest attempt to its end, or to now; 0 before it."""
    if run.started_at is None:
        return 0.0
    return max(0.0, ((run.finished_at or now) - run.started_at).total_seconds())


def rows_per_s(run: Run, *, now: datetime) -> int:
    """Rows read per second of the newest attempt."""
    elapsed = elapsed_s(run, now=now)
    return round(run.rows.read / elapsed) if elapsed > 0 else 0


def eta_s(run: Run, *, now: datetime) -> int | None:
    """Seconds until the file is read to its end, at the speed so far; 0 when all is over."""
    if run.state.is_final:
        return 0
    if run.state is not State.RUNNING or not run.bytes_total or run.bytes_read <= 0:
        return None
    left = max(0, run.bytes_total - run.bytes_read)
    return round(left * elapsed_s(run, now=now) / run.bytes_read)
