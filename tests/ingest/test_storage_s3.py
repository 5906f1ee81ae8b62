"""Object storage that speaks S3, over the wire: the server is moto's, the client obstore."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import boto3
import pytest

from services.ingest.errors import ObjectMissingError
from services.ingest.storage import PART_BYTES, REJECTS, UPLOADS, Storage
from tests.support.s3 import s3_environment, s3_server

BUCKET = "tabularium"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture
def storage(server: str, monkeypatch: pytest.MonkeyPatch) -> Storage:
    for name, value in s3_environment(server).items():
        monkeypatch.setenv(name, value)
    bucket().create_bucket(Bucket=BUCKET)
    return Storage(f"s3://{BUCKET}/below/here")


def bucket() -> Any:
    return boto3.client("s3", region_name="us-east-1")


async def pieces(*sizes: int) -> AsyncIterator[bytes]:
    for at, size in enumerate(sizes):
        yield bytes([at]) * size


async def read(storage: Storage, path: str) -> bytes:
    return b"".join([chunk async for chunk in storage.chunks(path)])


@pytest.mark.parametrize("sizes", [(), (5,), (PART_BYTES, 1_000_000, PART_BYTES)])
async def test_an_upload_comes_back_as_it_went(storage: Storage, sizes: tuple[int, ...]) -> None:
    path = f"{UPLOADS}one"
    await storage.put(path, pieces(*sizes))
    assert await storage.size_bytes(path) == sum(sizes)
    assert await read(storage, path) == b"".join([piece async for piece in pieces(*sizes)])
    assert [found.path async for found in storage.objects(UPLOADS)] == [path]
    await storage.delete(path)
    await storage.delete(path)
    with pytest.raises(ObjectMissingError):
        await read(storage, path)


async def test_an_upload_that_breaks_off_leaves_nothing(storage: Storage) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * (PART_BYTES + 1)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await storage.put(f"{UPLOADS}broken", broken())
    assert [found.path async for found in storage.objects(UPLOADS)] == []
    assert "Uploads" not in bucket().list_multipart_uploads(Bucket=BUCKET)


async def test_rejects_are_there_once_they_are_whole(storage: Storage) -> None:
    writer = storage.writer(f"{REJECTS}7/1-0.csv")
    await writer.write(b"a,_line\n")
    await writer.write(b"x,2\n" * 300_000)
    assert [found async for found in storage.objects(REJECTS)] == []
    await writer.close()
    [found] = [found async for found in storage.objects(REJECTS)]
    assert (found.path, found.size_bytes) == (f"{REJECTS}7/1-0.csv", 8 + 4 * 300_000)
    await storage.probe()
