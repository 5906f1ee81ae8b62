"""A compressed upload that grows beyond all measure ends as one failed import, and nothing else."""

import gzip
from collections.abc import Callable

import pytest
import zstandard

from tests.ingest.driving import Ingest
from tests.support.profile import only_in_full

MIB = 1 << 20
GROWN_MIB = 70
"""Over the 64 MiB below which no ratio is looked at."""


def clean_csv() -> bytes:
    return b"name,age\n" + (b"A" * MIB + b",30\n") * GROWN_MIB


def clean_ndjson() -> bytes:
    return (b'{"name": "' + b"A" * MIB + b'", "age": 30}\n') * GROWN_MIB


@only_in_full
@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
@pytest.mark.parametrize("content", [clean_csv, clean_ndjson])
async def test_a_bomb_fails_with_a_reason_and_loads_nothing(
    working: Ingest, pack: Callable[[bytes], bytes], content: Callable[[], bytes]
) -> None:
    bomb = pack(content())
    assert len(bomb) < MIB
    done = await working.finished(await working.submit(bomb, name="people.bin"))
    assert (done["state"], done["attempt"]) == ("failed", 1)
    assert done["error"]["code"] == "decompression_bomb"
    assert "250 times its size" in done["error"]["detail"]
    assert done["rows"]["loaded"] == 0
    assert await working.count() == 0
    # The worker is none the worse for it.
    done = await working.finished(await working.submit(gzip.compress(b"name,age\nAnn,30\n")))
    assert (done["state"], await working.count()) == ("succeeded", 1)
