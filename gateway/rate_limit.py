"""Rate limits counted in Redis by GCRA, the generic cell rate algorithm.

For each key Redis keeps one instant, the "theoretical arrival time": a request moves it on by one
interval, and it may run ahead of the clock by `burst` intervals. Checks that come while a round
trip is under way go together in the next one.
"""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.metrics import rate_limits_down

PAUSE_S = 1.0
"""How long Redis is left alone after it did not answer; requests do not wait for it meanwhile."""
BATCH_LIMIT = 256

SCRIPT = """
local clock = redis.call('TIME')
local now, answers, first = clock[1] * 1000000 + clock[2], {}, 1
while first <= #KEYS do
  local last, worst, tats = first, nil, {}
  for i = first, first + ARGV[first * 3 - 2] - 1 do
    local interval, burst = ARGV[i * 3 - 1] + 0, ARGV[i * 3] + 0
    local tat = math.max((redis.call('GET', KEYS[i]) or 0) + 0, now) + interval
    local wait = tat - burst * interval - now
    if not worst or wait / interval > worst[4] then
      worst = {i - first, wait, tat - now, wait / interval}
    end
    last, tats[i] = i, tat
  end
  for i, tat in pairs(worst[2] <= 0 and tats or {}) do
    redis.call('SET', KEYS[i], string.format('%.0f', tat), 'PX', math.ceil((tat - now) / 1000))
  end
  answers[#answers + 1] = {worst[1], worst[2], worst[3]}
  first = last + 1
end
return answers
"""
"""KEYS: the limits' keys, those of one request side by side. ARGV, for each key: how many keys its
request has, interval in microseconds, burst. Answers, for each request: which of its limits is
closest, microseconds to wait (0 or less: go on), microseconds until that limit is whole again.
A request that is refused by one of its limits is counted by none."""

log = structlog.get_logger()


class LimitsDownError(Exception):
    """Redis is away; nothing can be counted."""


@dataclass(frozen=True, slots=True)
class Limit:
    """`burst` requests at once, and one more every `interval_us`, for one key."""

    name: str
    key: str
    interval_us: int
    burst: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the closest of a request's limits says."""

    limit: Limit
    wait_us: int
    reset_us: int

    @property
    def allowed(self) -> bool:
        """Whether the request may go on; it was counted then."""
        return self.wait_us <= 0

    @property
    def retry_after_s(self) -> int:
        """Whole seconds to wait, at least one."""
        return max(1, math.ceil(self.wait_us / 1_000_000))

    def headers(self) -> list[tuple[bytes, bytes]]:
        """`RateLimit-*` (draft-ietf-httpapi-ratelimit-headers-03)."""
        limit = self.limit
        remaining = max(0, -self.wait_us // limit.interval_us)
        window_s = max(1, limit.burst * limit.interval_us // 1_000_000)
        reset_s = -(-self.reset_us // 1_000_000)
        return [
            (b"ratelimit-limit", b"%d" % limit.burst),
            (b"ratelimit-remaining", b"%d" % remaining),
            (b"ratelimit-reset", b"%d" % reset_s),
            (b"ratelimit-policy", b"%d;w=%d" % (limit.burst, window_s)),
        ]


@dataclass(slots=True)
class _Check:
    limits: Sequence[Limit]
    verdict: asyncio.Future[Verdict]


class RateLimiter:
    """Asks Redis; one round trip at a time, for all requests that wait for one."""

    def __init__(self, redis: Redis) -> None:
        self._script = redis.register_script(SCRIPT)
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Check] = []
        self._asking: asyncio.Task[None] | None = None
        self._paused_until = float("-inf")

    async def check(self, limits: Sequence[Limit]) -> Verdict:
        """Count a request against all of its limits, or against none if one refuses it.

        Raises LimitsDownError while Redis is away.
        """
        if self._loop.time() < self._paused_until:
            raise LimitsDownError
        check = _Check(limits, self._loop.create_future())
        self._waiting.append(check)
        if self._asking is None:
            self._asking = self._loop.create_task(self._ask())
        return await check.verdict

    async def _ask(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[:BATCH_LIMIT]
                del self._waiting[:BATCH_LIMIT]
                try:
                    answers = await self._answers(batch)
                except (RedisError, OSError) as exc:
                    self._pause(exc, [*batch, *self._waiting])
                    self._waiting.clear()
                    return
                rate_limits_down.set(0)
                for check, (closest, wait_us, reset_us) in zip(batch, answers, strict=True):
                    if not check.verdict.done():
                        limit = check.limits[closest]
                        check.verdict.set_result(Verdict(limit, wait_us, reset_us))
        finally:
            self._asking = None

    async def _answers(self, batch: Sequence[_Check]) -> list[tuple[int, int, int]]:
        keys: list[str] = []
        arguments: list[int] = []
        for check in batch:
            for limit in check.limits:
                keys.append(limit.key)
                arguments += (len(check.limits), limit.interval_us, limit.burst)
        answers: list[tuple[int, int, int]] = await self._script(keys=keys, args=arguments)
        return answers

    def _pause(self, exc: Exception, checks: Sequence[_Check]) -> None:
        log.warning("rate_limits_down", error=type(exc).__name__)
        rate_limits_down.set(1)
        self._paused_until = self._loop.time() + PAUSE_S
        for check in checks:
            if not check.verdict.done():
                check.verdict.set_exception(LimitsDownError())
