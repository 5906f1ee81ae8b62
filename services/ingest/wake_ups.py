"""Wake-ups through arq: "look at run 42". Losing one costs a moment, never an import."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from arq.connections import ArqRedis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff

from services.ingest.domain import ImportId
from shared.store.redis import REDIS_AWAY, REDIS_RETRIED

QUEUE = "tabularium:imports"
TASK = "run_imports"
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
    redis: ArqRedis = ArqRedis.from_url(
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


class WakeUps:
    """Tells some worker that there is work; the row in PostgreSQL says what."""

    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis

    async def send(self, import_id: ImportId) -> None:
        """Enqueue a wake-up; with Redis away the workers' sweepers find the run by themselves."""
        try:
            await self._redis.enqueue_job(TASK, import_id, _queue_name=QUEUE)
        except REDIS_AWAY as exc:
            log.warning("wake_up_not_sent", import_id=import_id, error=type(exc).__name__)
