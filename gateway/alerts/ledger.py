"""The counters and the waiting mails, in Redis, shared by all gateway processes.

Each step is one script or transaction: a process may die after any of them, and no mail is lost
or written by two. All keys share a hash tag, so that a cluster keeps them together.
"""

import json
from collections.abc import Awaitable, Sequence
from dataclasses import asdict
from typing import cast

from redis.asyncio import Redis

from gateway.alerts.domain import Counted, Example, Kind
from gateway.alerts.mails import Mail

PREFIX = "{tabularium:alerts}:"
KNOWN, COUNTS, NEWEST, DUE, OUTBOX = (
    PREFIX + name for name in ("known", "counts", "newest", "due", "outbox")
)
TAKEN_COUNTS, TAKEN_NEWEST, WRITING, SENDING = (
    PREFIX + name for name in ("taken-counts", "taken-newest", "writing", "sending")
)
BUDGET = PREFIX + "budget:"

FORGET_S = 24 * 3600
"""A kind that was not seen for so long is new again."""
OUTBOX_LIMIT = 100
WRITING_S = 30

RECORD = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local kind, count, newest, mail = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local window, forget = ARGV[5] + 0, ARGV[6] + 0
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - forget)
local known = redis.call('ZSCORE', KEYS[1], kind)
redis.call('ZADD', KEYS[1], now, kind)
redis.call('SET', KEYS[4], now + window, 'NX')
if not known and redis.call('SET', KEYS[6], 1, 'NX', 'PX', window) then
  redis.call('RPUSH', KEYS[5], mail)
  redis.call('LTRIM', KEYS[5], -ARGV[7], -1)
  return 1
end
redis.call('HINCRBY', KEYS[2], kind, count)
redis.call('HSET', KEYS[3], kind, newest)
return 0
"""

TAKE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
if redis.call('EXISTS', KEYS[4]) == 0 then
  local due = redis.call('GET', KEYS[3])
  if not due or now < due + 0 then return {} end
  redis.call('DEL', KEYS[3])
  if redis.call('EXISTS', KEYS[1]) == 0 then return {} end
  redis.call('RENAME', KEYS[1], KEYS[4])
  redis.call('RENAME', KEYS[2], KEYS[5])
end
if not redis.call('SET', KEYS[6], 1, 'NX', 'EX', ARGV[1]) then return {} end
return {redis.call('HGETALL', KEYS[4]), redis.call('HGETALL', KEYS[5])}
"""


class Ledger:
    """What all gateway processes know together; every method may raise redis' errors."""

    def __init__(self, redis: Redis, *, window_s: float) -> None:
        self._redis = redis
        self._window_s = window_s
        self._record = redis.register_script(RECORD)
        self._take = redis.register_script(TAKE)

    async def record(self, error: Counted, mail: Mail) -> bool:
        """Count errors of one kind; true when `mail` is to be sent at once and now waits."""
        group = "failures" if error.kind.is_failure else "refusals"
        answer = await self._record(
            keys=[KNOWN, COUNTS, NEWEST, DUE, OUTBOX, BUDGET + group],
            args=[
                error.kind.key,
                error.count,
                json.dumps(error.newest.to_json()),
                json.dumps(asdict(mail)),
                round(self._window_s * 1000),
                FORGET_S * 1000,
                OUTBOX_LIMIT,
            ],
        )
        return bool(answer)

    async def take_window(self) -> Sequence[Counted]:
        """The counts of a window that is over; empty unless this process is to write the digest.

        They stay until `put_digest`; another process gets them if this one does not finish.
        """
        answer = await self._take(
            keys=[COUNTS, NEWEST, DUE, TAKEN_COUNTS, TAKEN_NEWEST, WRITING], args=[WRITING_S]
        )
        if not answer:
            return ()
        counts, newest = (_pairs(flat) for flat in answer)
        return [
            Counted(
                kind=Kind.from_key(key),
                count=int(count),
                newest=Example.from_json(json.loads(newest[key])),
            )
            for key, count in counts.items()
        ]

    async def put_digest(self, mail: Mail) -> None:
        """Queue the digest, and drop the counts that are in it."""
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.rpush(OUTBOX, json.dumps(asdict(mail)))
            pipeline.ltrim(OUTBOX, -OUTBOX_LIMIT, -1)
            pipeline.delete(TAKEN_COUNTS, TAKEN_NEWEST, WRITING)
            await pipeline.execute()

    async def next_mail(self, *, lease_s: float) -> Mail | None:
        """The oldest mail that waits, if no other process is sending or waiting to try again."""
        if not await self._redis.exists(OUTBOX):
            return None
        if not await self._redis.set(SENDING, 1, nx=True, px=round(lease_s * 1000)):
            return None
        oldest = await cast("Awaitable[str | None]", self._redis.lindex(OUTBOX, 0))
        if oldest is None:
            await self._redis.delete(SENDING)
            return None
        return Mail(**json.loads(oldest))

    async def mail_is_done(self) -> None:
        """The mail was sent, or will never be taken; the next may go."""
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.lpop(OUTBOX)
            pipeline.delete(SENDING)
            await pipeline.execute()

    async def try_mail_later(self, *, after_s: float) -> None:
        """Nobody sends until then."""
        await self._redis.set(SENDING, 1, px=round(after_s * 1000))


def _pairs(flat: Sequence[bytes]) -> dict[str, str]:
    words = [part.decode() for part in flat]
    return dict(zip(words[::2], words[1::2], strict=True))
