"""Bodies that are too large, cut short, or too much for the disk leave nothing behind."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from redis.asyncio import Redis

from deploy.local.valkey import Valkey
from tests.ingest.driving import ANN, PEOPLE, Ingest, running_ingest
from tests.support.databases import Database
from tests.support.issuer import Issuer
from tests.support.profile import only_in_full
from tests.support.small_disk import small_disk

BOUNDARY = "frontier"
HEAD = (
    f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=table\r\n\r\npeople\r\n"
    f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=file; filename=x.csv\r\n\r\n"
).encode()
TAIL = f"\r\n--{BOUNDARY}--\r\n".encode()
LIMIT = 3_000_000


@pytest.fixture
async def limited(
    database: Database, issuer: Issuer, valkey_server: Valkey, tmp_path: Path
) -> AsyncIterator[Ingest]:
    async with running_ingest(
        database,
        issuer=issuer,
        redis_url=valkey_server.url,
        storage=tmp_path / "storage",
        upload_limit_bytes=LIMIT,
    ) as running:
        await running.peers.make_table("people", PEOPLE)
        yield running


def rows(size_bytes: int) -> bytes:
    line = b"Ann,30\n"
    return b"name,age\n" + line * (size_bytes // len(line))


async def sent(ingest: Ingest, chunks: "AsyncIterator[bytes] | bytes") -> httpx2.Response:
    headers = {
        **ingest.issuer.bearer(ANN),
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
    }
    return await ingest.http.post("/api/imports", content=chunks, headers=headers)


async def test_a_known_length_over_the_limit_is_refused_before_the_body(limited: Ingest) -> None:
    host, port = limited.http.base_url.host, limited.http.base_url.port
    assert port is not None
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(
        b"POST /api/imports HTTP/1.1\r\nHost: x\r\nContent-Length: 900000000\r\n"
        + f"Authorization: {limited.issuer.bearer(ANN)['Authorization']}\r\n".encode()
        + f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n".encode()
    )
    status = await reader.readline()
    writer.close()
    assert status.split()[1] == b"413"
    assert limited.stored() == []


async def test_an_unknown_length_over_the_limit_is_refused_on_the_way(limited: Ingest) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield HEAD
        for _ in range(8):
            yield rows(1_000_000)
        yield TAIL

    answer = await sent(limited, chunks())
    assert (answer.status_code, answer.json()["code"]) == (413, "upload_too_large")
    assert answer.json()["limit_bytes"] == LIMIT
    assert limited.stored() == []


async def test_a_file_at_the_limit_is_taken(limited: Ingest) -> None:
    content = rows(LIMIT).ljust(LIMIT, b"\n")[:LIMIT]
    answer = await limited.upload(content, table="people")
    assert answer.status_code == 202, answer.text
    over = await limited.upload(content + b"\n", table="people")
    assert over.status_code == 413
    assert len(limited.stored()) == 1


@pytest.mark.parametrize(
    "body",
    [HEAD + b"name,age\nAnn,30\n", HEAD + rows(2_000_000), HEAD[:40]],
    ids=["small", "several parts", "in a header"],
)
async def test_a_body_cut_short_is_refused(limited: Ingest, body: bytes) -> None:
    answer = await sent(limited, body)
    assert answer.status_code in (400, 422)
    assert answer.json()["code"] in ("upload_incomplete", "invalid_input")
    assert limited.stored() == []


async def test_bytes_that_are_no_multipart_are_refused(limited: Ingest) -> None:
    answer = await sent(limited, b"name,age\nAnn,30\n")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert limited.stored() == []


@only_in_full
async def test_a_full_disk_is_said_and_cleaned_up(
    database: Database, issuer: Issuer, valkey_server: Valkey, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "small", size_bytes=12_000_000) as disk:
        async with running_ingest(
            database, issuer=issuer, redis_url=valkey_server.url, storage=disk
        ) as ingest:
            await ingest.peers.make_table("people", PEOPLE)
            answer = await ingest.upload(rows(40_000_000), table="people")
            assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")
            assert ingest.stored() == []
            after = await ingest.submit(rows(1_000_000))
            async with ingest.working():
                done = await ingest.finished(after)
            assert done["state"] == "succeeded"


async def test_redis_down_does_not_stop_submitting(
    database: Database, issuer: Issuer, tmp_path: Path
) -> None:
    async with running_ingest(
        database, issuer=issuer, redis_url="redis://127.0.0.1:1/0", storage=tmp_path / "storage"
    ) as ingest:
        await ingest.peers.make_table("people", PEOPLE)
        import_ = await ingest.submit(b"name,age\nAnn,30\n")
        ready = await ingest.http.get("/readyz")
        assert ready.json()["checks"]["redis"] != "ok"
        async with ingest.working():
            done = await ingest.finished(import_)
        assert (done["state"], await ingest.count()) == ("succeeded", 1)


@only_in_full
async def test_lost_wake_ups_are_made_up_for(ingest: Ingest, valkey_server: Valkey) -> None:
    imports = [await ingest.submit(b"name,age\nAnn,%d\n" % age) for age in range(5)]
    async with Redis.from_url(valkey_server.url) as redis:
        assert await redis.llen("tabularium:imports:hints") == 5
        assert await redis.zcard("tabularium:imports") == 1
        await redis.flushall()
    async with ingest.working():
        for import_ in imports:
            assert (await ingest.finished(import_))["state"] == "succeeded"
    assert await ingest.count() == 5
