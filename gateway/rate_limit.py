"""Rate limits counted in Redis by GCRA, the generic cell rate algorithm.

For each key Redis keeps one instant, the "theoretical arrival time": a request moves it on by one
interval, and it may run ahead of the clock by `burst` intervals. Checks that come while a round
trip is under way go together in the next one. A request that is far from its limit does not wait
for Redis at all: it is counted here, and reported to Redis a moment later, together with others.
"""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import structlog
from redis.asyncio import Redis

from gateway.metrics import rate_limits_down
from shared.store.redis import REDIS_AWAY

PAUSE_S = 1.0
"""How long Redis is left alone after it did not answer; requests do not wait for it meanwhile."""
BATCH_LIMIT = 256
MARGIN = 64
"""Within so many requests of a limit every one is counted in Redis before it may go on."""
OWED_LIMIT = MARGIN // 2
"""So many may go on before Redis is updated; a process that does not know yet what others have just
used lets through at most these too many."""
REPORT_EVERY_S = 0.01
KNOWN_FOR_S = 0.05
KNOWN_LIMIT = 10_000

SCRIPT = """
local clock = redis.call('TIME')
local now, answers, first = clock[1] * 1000000 + clock[2], {}, 1
while first <= #KEYS do
  local last, worst, tats = first, nil, {}
  for i = first, first + ARGV[first * 4 - 3] - 1 do
    local interval, burst, cost = ARGV[i * 4 - 2] + 0, ARGV[i * 4 - 1] + 0, ARGV[i * 4] + 0
    local tat = math.max((redis.call('GET', KEYS[i]) or 0) + 0, now) + interval * math.abs(cost)
    local wait = tat - burst * interval - now
    if not worst or wait / interval > worst[4] then
      worst = {i - first, wait, tat - now, wait / interval}
    end
    last, tats[i] = i, tat
  end
  for i, tat in pairs((worst[2] <= 0 or ARGV[first * 4] + 0 < 0) and tats or {}) do
    redis.call('SET', KEYS[i], string.format('%.0f', tat), 'PX', math.ceil((tat - now) / 1000))
  end
  answers[#answers + 1] = {worst[1], worst[2], worst[3]}
  first = last + 1
end
return answers
"""
"""KEYS: the limits' keys, those of one request side by side. ARGV, for each key: how many keys its
request has, interval in microseconds, burst, cost (1; or less than 0, for so many requests that
went on already: they are counted whatever comes of it). Answers, for each request: which of its
limits is closest, microseconds to wait (0 or less: go on), microseconds until that limit is whole
again. A request that is refused by one of its limits is counted by none."""

log = structlog.get_logger()


class LimitsDownError(Exception):
    """Redis is away; nothing can be counted."""


@dataclass(frozen=True)
class Limit:
    """`burst` requests at once, and one more every `interval_us`, for one key."""

    name: str
    key: str
    interval_us: int
    burst: int

    @cached_property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Those of `RateLimit-*` that are the same in every answer."""
        window_s = max(1, self.burst * self.interval_us // 1_000_000)
        return [
            (b"ratelimit-limit", b"%d" % self.burst),
            (b"ratelimit-policy", b"%d;w=%d" % (self.burst, window_s)),
        ]


@dataclass(slots=True)
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
    def remaining(self) -> int:
        """How many more requests may go on at once."""
        return max(0, -self.wait_us // self.limit.interval_us)

    @property
    def retry_after_s(self) -> int:
        """Whole seconds to wait, at least one."""
        return max(1, math.ceil(self.wait_us / 1_000_000))

    def headers(self) -> list[tuple[bytes, bytes]]:
        """`RateLimit-*` (draft-ietf-httpapi-ratelimit-headers-03)."""
        reset_s = -(-self.reset_us // 1_000_000)
        return [
            *self.limit.headers,
            (b"ratelimit-remaining", b"%d" % self.remaining),
            (b"ratelimit-reset", b"%d" % reset_s),
        ]


@dataclass(slots=True)
class _Check:
    limits: Sequence[Limit]
    verdict: asyncio.Future[Verdict] | None
    """None where nobody waits for it."""
    cost: int = 1


@dataclass(slots=True)
class _Known:
    """What Redis last said of a key, and what has not been reported to it yet."""

    limit: Limit
    left: int
    reset_us: int
    at: float
    owed: int = 0
    reported: int = 0
    """What is on its way to Redis, and not yet in its answer."""

    @property
    def spare(self) -> int:
        """How many more may go on, as far as this process knows."""
        return self.left - self.reported - self.owed

    def take(self) -> Verdict:
        """Count one request here."""
        self.owed += 1
        interval_us = self.limit.interval_us
        reset_us = self.reset_us + (self.reported + self.owed) * interval_us
        return Verdict(self.limit, -self.spare * interval_us, reset_us)


@dataclass(slots=True)
class _Turn:
    """Requests of one key that wait, the first come first."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


class RateLimiter:
    """Asks Redis; one round trip at a time, for all requests that wait for one."""

    def __init__(self, redis: Redis) -> None:
        self._script = redis.register_script(SCRIPT)
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Check] = []
        self._asking: asyncio.Task[None] | None = None
        self._paused_until = float("-inf")
        self._known: dict[str, _Known] = {}
        self._owing: list[_Known] = []
        self._reporting: asyncio.TimerHandle | None = None
        self._turns: dict[str, _Turn] = {}

    async def check(self, limits: Sequence[Limit]) -> Verdict:
        """Count a request against all of its limits, or against none if one refuses it.

        Raises LimitsDownError while Redis is away.
        """
        if self._loop.time() < self._paused_until:
            raise LimitsDownError
        known = self._known.get(limits[0].key) if len(limits) == 1 else None
        if known is not None and self._is_far(known):
            if not known.owed:
                self._owing.append(known)
            if self._reporting is None:
                self._reporting = self._loop.call_later(REPORT_EVERY_S, self._report)
            return known.take()
        if known is not None:
            self._settle(known)
        verdict: asyncio.Future[Verdict] = self._loop.create_future()
        self._enqueue(_Check(limits, verdict))
        return await verdict

    async def check_in_turn(self, limits: Sequence[Limit]) -> Verdict:
        """Count a request as soon as no limit refuses it, after those that came before.

        Raises as `check`.
        """
        key = limits[0].key
        turn = self._turns.setdefault(key, _Turn())
        turn.waiting += 1
        try:
            async with turn.lock:
                verdict = await self.check(limits)
                while not verdict.allowed:
                    await asyncio.sleep(verdict.wait_us / 1_000_000)
                    verdict = await self.check(limits)
                return verdict
        finally:
            turn.waiting -= 1
            if not turn.waiting:
                del self._turns[key]

    def _is_far(self, known: _Known) -> bool:
        fresh = self._loop.time() - known.at < KNOWN_FOR_S
        return fresh and known.owed < OWED_LIMIT and known.spare > MARGIN

    def _report(self) -> None:
        """Count in Redis what went on without it."""
        self._reporting = None
        for known in self._owing:
            self._settle(known)
        self._owing.clear()

    def _settle(self, known: _Known) -> None:
        if known.owed:
            owed, known.owed = known.owed, 0
            known.reported += owed
            self._enqueue(_Check((known.limit,), None, cost=-owed))

    def _enqueue(self, check: _Check) -> None:
        self._waiting.append(check)
        if self._asking is None:
            self._asking = self._loop.create_task(self._ask())

    async def _ask(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[:BATCH_LIMIT]
                del self._waiting[:BATCH_LIMIT]
                try:
                    answers = await self._answers(batch)
                except REDIS_AWAY as exc:
                    self._pause(exc, [*batch, *self._waiting])
                    self._waiting.clear()
                    return
                rate_limits_down.set(0)
                for check, (closest, wait_us, reset_us) in zip(batch, answers, strict=True):
                    verdict = Verdict(check.limits[closest], wait_us, reset_us)
                    self._learn(check, verdict)
                    if check.verdict is not None and not check.verdict.done():
                        check.verdict.set_result(verdict)
        finally:
            self._asking = None

    def _learn(self, check: _Check, verdict: Verdict) -> None:
        limit = verdict.limit
        if len(check.limits) > 1 or limit.burst <= MARGIN:
            return
        if len(self._known) > KNOWN_LIMIT:
            self._known = {known.limit.key: known for known in self._owing}
        known = self._known.setdefault(limit.key, _Known(limit, 0, 0, 0.0))
        if check.cost < 0:
            known.reported = max(0, known.reported + check.cost)
        known.left, known.reset_us = verdict.remaining, verdict.reset_us
        known.at = self._loop.time()

    async def _answers(self, batch: Sequence[_Check]) -> list[tuple[int, int, int]]:
        keys: list[str] = []
        arguments: list[int] = []
        for check in batch:
            for limit in check.limits:
                keys.append(limit.key)
                arguments += (len(check.limits), limit.interval_us, limit.burst, check.cost)
        answers: list[tuple[int, int, int]] = await self._script(keys=keys, args=arguments)
        return answers

    def _pause(self, exc: Exception, checks: Sequence[_Check]) -> None:
        log.warning("rate_limits_down", error=type(exc).__name__)
        rate_limits_down.set(1)
        self._paused_until = self._loop.time() + PAUSE_S
        self._known.clear()
        self._owing.clear()
        for check in checks:
            if check.verdict is not None and not check.verdict.done():
                check.verdict.set_exception(LimitsDownError())
