"""Redis (or Valkey): a transport for wake-ups and counters, never the truth."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

SENTINEL_PORT = 26379

REDIS_AWAY: tuple[type[Exception], ...] = (RedisError, OSError)
"""What the driver raises while Redis is away, full, loading or read-only."""

REDIS_RETRIED: tuple[type[Exception], ...] = (RedisConnectionError, RedisTimeoutError, OSError)
"""What the driver itself tries again: nothing was answered."""


Client = TypeVar("Client", bound=Redis)


def connected(kind: type[Client], url: str, **options: Any) -> Client:
    """A client of a Redis, of one with TLS, or of the primary that Sentinels name.

    `redis://user:password@host:6379/0`, `rediss://…` for TLS, and
    `redis+sentinel://user:password@host:26379,host:26379/service/0?sentinel_password=…`
    (`rediss+sentinel://` for TLS), where `service` is the name that the Sentinels watch.
    Nothing is asked yet.
    """
    scheme, _, rest = url.partition("://")
    if not scheme.endswith("+sentinel"):
        client: Client = kind.from_url(url, **options)
        return client
    parts = urlsplit(f"//{rest}")
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    service, _, database = parts.path.strip("/").partition("/")
    shared = {**options, "ssl": True} if scheme == "rediss+sentinel" else options
    given = dict(parse_qsl(parts.query))
    watching = {
        name.removeprefix("sentinel_"): given[name]
        for name in ("sentinel_username", "sentinel_password")
        if name in given
    }
    each = [urlsplit(f"//{host}") for host in hosts.split(",")]
    sentinels = Sentinel(  # type: ignore[no-untyped-call]
        [(one.hostname or "localhost", one.port or SENTINEL_PORT) for one in each],
        sentinel_kwargs={**shared, **watching},
    )
    pool = SentinelConnectionPool(  # type: ignore[no-untyped-call]
        service,
        sentinels,
        db=int(database or 0),
        username=unquote(user) or None,
        password=unquote(password) or None,
        **shared,
    )
    primary: Client = kind.from_pool(pool)  # type: ignore[assignment]
    return primary


@asynccontextmanager
async def redis_client(url: str, *, timeout_s: float = 2) -> AsyncIterator[Redis]:
    """A client that tries twice and then says that Redis is away."""
    client = connected(
        Redis,
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
