"""A file of typed columns is opened once: the process that describes it reads its rows too."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.ingest.domain.options import ImportOptions
from services.ingest.plan.columns import plan_to_infer
from services.ingest.read.formats import opened
from services.ingest.read.source import Source, released
from tests.support.waiting import until


@dataclass(frozen=True)
class OnDisk:
    """An upload that is a file on this machine."""

    local_path: Path

    @property
    def size_bytes(self) -> int:
        return self.local_path.stat().st_size

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self.local_path.read_bytes()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    pq.write_table(pa.table({"a": [1, 2, 3]}), tmp_path / "rows.parquet")
    return tmp_path / "rows.parquet"


async def source_of(file: Path) -> Source:
    return await opened(OnDisk(file), file_name=file.name, options=ImportOptions())


async def values(source: Source) -> list[str]:
    cells: list[str] = []
    async for frame in source.frames(plan_to_infer(source)):
        cells += frame.cells["a"].to_list()
    return cells


def readers(file: Path) -> set[int]:
    """The processes that were started for the file."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(file).encode() in arguments:
            found.add(int(process.name))
    return found


async def test_the_process_that_describes_a_file_reads_it(file: Path) -> None:
    source = await source_of(file)
    (opening,) = readers(file)
    frames = source.frames(plan_to_infer(source))
    frame = await anext(frames)
    assert frame.rows == 3
    assert readers(file) <= {opening}
    with pytest.raises(StopAsyncIteration):
        await anext(frames)
    assert not readers(file)


async def test_a_file_is_read_as_often_as_asked(file: Path) -> None:
    source = await source_of(file)
    assert await values(source) == await values(source) == ["1", "2", "3"]
    assert not readers(file)


async def test_a_file_that_is_not_read_leaves_no_process(file: Path) -> None:
    async with released(await source_of(file)):
        assert readers(file)
    assert not readers(file)


async def test_a_source_that_is_forgotten_leaves_no_process(file: Path) -> None:
    source = await source_of(file)
    assert readers(file)
    del source
    await until("the process has ended", lambda: not readers(file))
