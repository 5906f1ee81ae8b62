"""Counters: tries with back-off, and requests per hour; each is one atomic statement."""

import math
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.auth.domain import BackOff

# A time farther ahead than any of these statements sets one was set before the database's clock
# was set back; it holds nobody up.

# A try is counted before its password is looked at: parallel tries cannot all slip through.
TAKE_ATTEMPT = text("""
    INSERT INTO auth.attempts AS a (key, failures, last_at, blocked_until)
    VALUES (:key, 1, clock_timestamp(), clock_timestamp())
    ON CONFLICT (key) DO UPDATE SET
      failures = CASE WHEN a.last_at < clock_timestamp() - make_interval(secs => :forget_after_s)
                 THEN 1 ELSE a.failures + 1 END,
      last_at = clock_timestamp(),
      blocked_until = clock_timestamp() + make_interval(secs =>
        CASE WHEN a.failures + 1 < :free
               OR a.last_at < clock_timestamp() - make_interval(secs => :forget_after_s) THEN 0
             ELSE least(:longest_s, :first_s * power(2, least(a.failures + 1 - :free, 30))) END)
    WHERE a.blocked_until <= clock_timestamp()
       OR a.blocked_until > clock_timestamp() + make_interval(secs => :longest_s)
    RETURNING failures
""")
BLOCKED_FOR_S = text("""
    SELECT extract(epoch FROM blocked_until - clock_timestamp()) FROM auth.attempts
    WHERE key = :key
""")
FORGET_ATTEMPTS = text("DELETE FROM auth.attempts WHERE key = :key")
GIVE_BACK_ATTEMPT = text("""
    UPDATE auth.attempts SET failures = greatest(failures - 1, 0), blocked_until = clock_timestamp()
    WHERE key = :key
""")
# GCRA (ITU-T I.371): one timestamp per key; `limit` at once, then one every window/limit.
TAKE_REQUEST = text("""
    INSERT INTO auth.request_limits AS r (key, arrives_at)
    VALUES (:key, clock_timestamp() + make_interval(secs => :every_s))
    ON CONFLICT (key) DO UPDATE SET
      arrives_at = make_interval(secs => :every_s) + CASE
        WHEN r.arrives_at BETWEEN clock_timestamp()
             AND clock_timestamp() + make_interval(secs => :window_s)
        THEN r.arrives_at ELSE clock_timestamp() END
    WHERE r.arrives_at + make_interval(secs => :every_s - :window_s) <= clock_timestamp()
       OR r.arrives_at > clock_timestamp() + make_interval(secs => :window_s)
    RETURNING arrives_at
""")
REQUEST_WAIT_S = text("""
    SELECT extract(epoch FROM arrives_at - clock_timestamp()) + :every_s - :window_s
    FROM auth.request_limits WHERE key = :key
""")
FORGET_COUNTERS = (
    text("DELETE FROM auth.attempts WHERE last_at < now() - interval '1 day'"),
    text("DELETE FROM auth.request_limits WHERE arrives_at < now()"),
)


async def take_attempt(connection: AsyncConnection, key: str, back_off: BackOff) -> int | None:
    """Count a try; returns None, or the seconds to wait (then nothing was counted)."""
    parameters = {
        "key": key,
        "free": back_off.free,
        "first_s": float(back_off.first_s),
        "longest_s": float(back_off.longest_s),
        "forget_after_s": float(back_off.forget_after_s),
    }
    if (await connection.execute(TAKE_ATTEMPT, parameters)).first() is not None:
        return None
    return _whole_seconds(await connection.scalar(BLOCKED_FOR_S, {"key": key}))


async def forget_attempts(connection: AsyncConnection, key: str) -> None:
    """Reset the counter, after the right password."""
    await connection.execute(FORGET_ATTEMPTS, {"key": key})


async def give_back_attempt(connection: AsyncConnection, key: str) -> None:
    """Take the last try back, after the right password; those before it still count."""
    await connection.execute(GIVE_BACK_ATTEMPT, {"key": key})


async def take_request(
    connection: AsyncConnection, key: str, *, limit: int, window_s: int
) -> int | None:
    """Count a request; returns None, or the seconds to wait (then nothing was counted)."""
    every_s = window_s / limit
    parameters = {"key": key, "every_s": every_s, "window_s": float(window_s)}
    if (await connection.execute(TAKE_REQUEST, parameters)).first() is not None:
        return None
    return _whole_seconds(await connection.scalar(REQUEST_WAIT_S, parameters))


async def forget_counters(connection: AsyncConnection) -> None:
    """Delete counters that have no effect any more."""
    for statement in FORGET_COUNTERS:
        await connection.execute(statement)


def _whole_seconds(seconds: Any) -> int:
    return max(1, math.ceil(float(seconds or 0)))
