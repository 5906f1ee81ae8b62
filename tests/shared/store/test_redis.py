"""A primary that Sentinels name, before and after it moves."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from deploy.local.processes import die_with_parent, free_port
from deploy.local.valkey import Valkey, find_server
from services.ingest.wake_ups import arq_redis
from shared.store.redis import REDIS_AWAY, connected, probe_redis, redis_client
from tests.support.profile import only_in_full
from tests.support.waiting import until


@pytest.fixture
def two_servers(tmp_path: Path) -> Iterator[tuple[Valkey, Valkey]]:
    servers = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        servers.append(Valkey(server=find_server(), folder=folder))
        servers[-1].start()
    yield servers[0], servers[1]
    for server in servers:
        server.stop()


@pytest.fixture
def sentinel(tmp_path: Path, two_servers: tuple[Valkey, Valkey]) -> Iterator[int]:
    port = free_port()
    file = tmp_path / "sentinel.conf"
    file.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\n"
        f"sentinel monitor primary 127.0.0.1 {two_servers[0].port} 1\n"
        "sentinel down-after-milliseconds primary 500\n"
    )
    process = subprocess.Popen(
        [str(find_server()), str(file), "--sentinel"],
        stdout=subprocess.DEVNULL,
        preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - only prctl
    )
    yield port
    process.terminate()
    process.wait(10)


@only_in_full
async def test_the_primary_is_found_by_its_sentinels_where_it_moves_to(
    two_servers: tuple[Valkey, Valkey], sentinel: int
) -> None:
    first, second = two_servers
    watching: Redis = connected(Redis, f"redis://127.0.0.1:{sentinel}")
    await until("the Sentinel listens", lambda: _answers(watching))
    url = f"redis+sentinel://127.0.0.1:1,127.0.0.1:{sentinel}/primary/1"
    async with redis_client(url) as client, arq_redis(url, retries=1) as arq:
        await client.set("seen", "first")
        assert await arq.get("seen") == b"first"
        replica: Redis = connected(Redis, second.url)
        await replica.replicaof("127.0.0.1", str(first.port))
        await until("the second server has a copy", lambda: _has(second))
        await until("the Sentinel knows the second", lambda: _replicas(watching))
        first.stop()
        await until("the second server serves", lambda: _serves(client), timeout_s=60)
        assert await client.get("seen") == b"first"
        await replica.aclose()
    await watching.aclose()


async def _answers(client: Redis) -> bool:
    try:
        await probe_redis(client)
    except REDIS_AWAY:
        return False
    return True


async def _has(server: Valkey) -> bool:
    async with redis_client(f"redis://127.0.0.1:{server.port}/1") as client:
        return bool(await client.get("seen") == b"first")


async def _replicas(watching: Redis) -> bool:
    told = watching.execute_command("SENTINEL", "REPLICAS", "primary")  # type: ignore[no-untyped-call]
    return bool(await told)


async def _serves(client: Redis) -> bool:
    try:
        await client.set("moved", "yes")
    except REDIS_AWAY:
        return False
    return True
