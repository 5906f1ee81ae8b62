"""Wake-ups through Redis: "look at run 42". Losing one costs a moment, never an import.

A hint reaches a waiting worker at once. arq's job, which it finds within half a second, is there
for the worker that was busy, or was not there yet, when the hint came.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from arq.connections import ArqRedis
from arq.constants import job_key_prefix
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff

from services.ingest.domain.run import ImportId
from shared.store.redis import REDIS_AWAY, REDIS_RETRIED, connected

QUEUE = "tabularium:imports"
TASK = "run_imports"
HINTS = "tabularium:imports:hints"
HINTS_KEPT = 32
"""No worker waits while there are any. One that gets room takes a hint and works until nothing is
due, so more of them would only let workers look for imports that others have done."""
HINT_WAIT_S = 20
"""How long one wait for a hint lasts; a connection that is lost without a sign ends with it."""
SOCKET_TIMEOUT_S = 2.0

log = structlog.get_logger()


def serialised(job: dict[str, Any]) -> bytes:
    """A job as JSON; arq's own choice would be pickle."""
    return json.dumps(job).encode()


def deserialised(job: bytes) -> dict[str, Any]:
    """A job read from JSON."""
    parsed: dict[str, Any] = json.loads(job)
    return parsed


@asynccontextmanager
async def arq_redis(url: str, *, retries: int) -> AsyncIterator[ArqRedis]:
    """Arq's client; it is made without asking whether Redis is there.

    A Redis that goes away is tried again `retries` times, with pauses of up to a second.
    """
    redis = connected(
        ArqRedis,
        url,
        socket_timeout=SOCKET_TIMEOUT_S,
        socket_connect_timeout=SOCKET_TIMEOUT_S,
        retry=Retry(ExponentialBackoff(cap=1, base=0.05), retries=retries),
        retry_on_error=[*REDIS_RETRIED],
    )
    redis.default_queue_name = QUEUE
    redis.job_serializer = serialised
    redis.job_deserializer = deserialised
    try:
        yield redis
    finally:
        await redis.aclose()


@asynccontextmanager
async def hint_redis(url: str) -> AsyncIterator[Redis]:
    """A client for `next_hint` alone: its socket waits longer than others may."""
    redis = connected(
        Redis,
        url,
        socket_timeout=HINT_WAIT_S + SOCKET_TIMEOUT_S,
        socket_connect_timeout=SOCKET_TIMEOUT_S,
    )
    try:
        yield redis
    finally:
        await redis.aclose()


async def next_hint(redis: Redis) -> bool:
    """Wait for a hint that there is work; False when none came for HINT_WAIT_S."""
    # redis-py types its blocking and its asynchronous client as one.
    popped = await redis.blpop([HINTS], timeout=HINT_WAIT_S)  # type: ignore[misc]
    return popped is not None


class WakeUps:
    """Wakes some worker; the row in PostgreSQL says what there is to do."""

    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis

    async def send(self, import_id: ImportId) -> None:
        """Enqueue a wake-up; with Redis away the workers' sweepers find the run by themselves."""
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.lpush(HINTS, import_id)
                pipeline.ltrim(HINTS, 0, HINTS_KEPT - 1)
                pipeline.exists(job_key_prefix + TASK)
                *_, waits = await pipeline.execute()
            # One job for all that is due: the worker that has it works until nothing is. arq asks
            # for itself whether it is there, in three round trips.
            if not waits:
                await self._redis.enqueue_job(TASK, _job_id=TASK, _queue_name=QUEUE)
        except REDIS_AWAY as exc:
            log.warning("wake_up_not_sent", import_id=import_id, error=type(exc).__name__)
