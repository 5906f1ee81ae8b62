"""The words of the mails to the admins; pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.alerts.domain import Counted

KINDS_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that waits to be sent; `id` makes its Message-ID, so that copies are recognised."""

    id: str
    subject: str
    text: str


def first_of_its_kind(mail_id: str, error: Counted, *, window_s: float) -> Mail:
    """Sent at once."""
    kind = error.kind
    often = "" if error.count == 1 else f"\nIt happened {error.count:,} times within a second."
    return Mail(
        id=mail_id,
        subject=f"[Tabularium] {kind.status} {kind.code}: {kind.method} {kind.route}",
        text=(
            f"An error of a kind that was not seen lately.{often}\n\n"
            f"{_paragraph(error)}\n"
            f"Further errors come as one digest every {_minutes(window_s)}.\n"
            "`docs/operations.md` says what the codes mean and what to do.\n"
        ),
    )


def digest(mail_id: str, errors: Sequence[Counted], *, window_s: float) -> Mail:
    """Counts by kind, failures first, then the most frequent."""
    total = sum(error.count for error in errors)
    ordered = sorted(errors, key=lambda error: (not error.kind.is_failure, -error.count))
    lines = [_paragraph(error) for error in ordered[:KINDS_SHOWN]]
    if len(ordered) > KINDS_SHOWN:
        rest = sum(error.count for error in ordered[KINDS_SHOWN:])
        lines.append(f"… and {rest:,} of {len(ordered) - KINDS_SHOWN:,} other kinds.\n")
    return Mail(
        id=mail_id,
        subject=f"[Tabularium] {_of(total, 'error')} in {_minutes(window_s)}",
        text=(
            f"{_of(total, 'error')} of {_of(len(errors), 'kind')},"
            " besides those reported already.\n\n" + "\n".join(lines)
        ),
    )


def counters_down(mail_id: str, errors: Sequence[Counted], *, window_s: float) -> Mail:
    """Sent by each process for itself while Redis, which counts for all of them, is away."""
    summary = digest(mail_id, errors, window_s=window_s)
    return Mail(
        id=mail_id,
        subject="[Tabularium] Redis is away; sign-in is off",
        text=(
            "The gateway cannot reach Redis. Sign-in is refused, rate limits are not counted,"
            " and errors are counted by each gateway process for itself. Until now:\n\n"
            f"{summary.text}"
        ),
    )


def _paragraph(error: Counted) -> str:
    kind, newest = error.kind, error.newest
    who = newest.subject or "nobody signed in"
    return (
        f"{error.count:>9,} x {kind.status} {kind.code}\n"
        f"            {kind.method} {kind.route}\n"
        f"            last at {newest.at:%Y-%m-%d %H:%M:%S} UTC, {newest.duration_ms:g} ms,"
        f" by {who}\n"
        f"            request id {newest.request_id}\n"
    )


def _of(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:g} minutes" if seconds >= 60 else f"{seconds:g} seconds"
