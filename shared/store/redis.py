"""Redis (or Valkey): a transport for wake-ups and counters, never the truth."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

REDIS_AWAY: tuple[type[Exception], ...] = (RedisError, OSError)
"""What the driver raises while Redis is away, full, loading or read-only."""

REDIS_RETRIED: tuple[type[Exception], ...] = (RedisConnectionError, RedisTimeoutError, OSError)
"""What the driver itself tries again: nothing was answered."""


@asynccontextmanager
async def redis_client(url: str, *, timeout_s: float = 2) -> AsyncIterator[Redis]:
    """A client that tries twice and then says that Redis is away."""
    client: Redis = Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.05), retries=1),
        retry_on_error=[*REDIS_RETRIED],
    )
    try:
        yield client
    finally:
        await client.aclose()


async def probe_redis(client: Redis) -> None:
    """Raise unless Redis answers."""
    await client.ping()
