"""Files in storage, as imports read them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.ingest.errors import ObjectMissingError
from services.ingest.storage import SMALL_BYTES, Storage


@pytest.mark.parametrize("size_bytes", [0, 1, SMALL_BYTES, SMALL_BYTES + 1, 3 * SMALL_BYTES])
async def test_a_file_is_read_from_its_start_as_often_as_wanted(
    tmp_path: Path, size_bytes: int
) -> None:
    storage = Storage(tmp_path.as_uri())
    content = bytes(number % 251 for number in range(size_bytes))

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    await storage.put("uploads/1", chunks())
    file = await storage.file("uploads/1")
    assert file.size_bytes == size_bytes
    for _ in range(2):
        assert b"".join([chunk async for chunk in file.chunks()]) == content


async def test_a_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ObjectMissingError):
        await Storage(tmp_path.as_uri()).file("uploads/1")
