"""Rows of another database, brought to this machine before a lock is taken.

A replace shuts out every other writer, and nobody knows how long a source takes for its rows: so
they are all here first, in a temporary file without a name, and the lock lasts as long as their
COPY does.
"""

import asyncio
import errno
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from typing import IO, Final

import polars as pl

from services.ingest.domain.outcome import FormatFound, Outcome, Progress
from services.ingest.domain.run import ImportId
from services.ingest.load.outside import Outside
from services.ingest.plan.columns import ColumnPlan
from services.ingest.plan.source_columns import SourceColumn, Ways
from services.ingest.read.frame import Frame
from services.ingest.read.source import DirectCopy, Source, SpeaksCopy
from shared.errors import StorageFullError
from shared.store.copying import ahead

PIECE_BYTES = 1 << 20
COMPRESSION: Final = "lz4"

Loading = Callable[[Source], Awaitable[Outcome]]
"""Loads a source into its table; the lock is taken and left inside."""


async def with_rows_here(
    source: Source,
    plan: ColumnPlan,
    outside: Outside,
    loading: Loading,
    *,
    as_frames: bool = False,
) -> Outcome:
    """What `loading` makes of the source, once all its rows are here.

    Rows that go from one PostgreSQL into the other as they come are kept so, unless somebody has
    to see them `as_frames`. If one of them does
    not fit, the source is read a second time, as frames whose rows are judged one by one.

    Raises StorageFullError where the disk takes no more, and what the source and `loading` raise.
    """
    direct = None
    if isinstance(source, SpeaksCopy) and not plan.brings_ids and not as_frames:
        direct = source.copy(plan, import_id=outside.import_id)
    if direct is not None:
        with _temporary_file() as file:
            size_bytes = await _keep_copy(direct, file, outside)
            try:
                return await loading(_HeldCopy(source, direct.columns, file, size_bytes))
            except _FramesNeededError:
                pass
    with _temporary_file() as file:
        return await loading(_HeldFrames(source, await _keep_frames(source, plan, file, outside)))


class _FramesNeededError(Exception):
    """The rows are here as binary COPY alone, and have to be judged one by one."""


@dataclass(frozen=True)
class _Held:
    """What is known of the source whose rows are here."""

    source: Source

    @property
    def columns(self) -> tuple[SourceColumn, ...]:
        """As the source's."""
        return self.source.columns

    @property
    def ways(self) -> Ways:
        """As the source's."""
        return self.source.ways

    @property
    def format(self) -> FormatFound | None:
        """As the source's."""
        return self.source.format


@dataclass(frozen=True)
class _HeldCopy(_Held):
    """Rows as binary COPY, for the table columns `target_columns`."""

    target_columns: tuple[str, ...]
    file: IO[bytes]
    size_bytes: int

    def copy(self, _plan: ColumnPlan, *, import_id: ImportId) -> DirectCopy:
        """The rows, which hold the import's id already."""
        del import_id
        return DirectCopy(self.target_columns, self._pieces())

    def frames(self, _plan: ColumnPlan) -> AsyncIterator[Frame]:
        """Raise _FramesNeededError."""
        raise _FramesNeededError

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        self.file.seek(0)
        while piece := await asyncio.to_thread(self.file.read, PIECE_BYTES):
            yield piece


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the file a frame's cells or lines are."""

    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class _KeptFrame:
    """A frame whose cells and lines are in the file; `bare` is all the rest of it."""

    bare: Frame
    cells: _Place
    lines: _Place


@dataclass(frozen=True)
class _Frames:
    """Frames in order; the file grows at its end."""

    file: IO[bytes]
    kept: list[_KeptFrame]

    def keep(self, frame: Frame) -> None:
        """Append a frame; it blocks."""
        bare = replace(frame, cells=frame.cells.clear(), lines=frame.lines.clear())
        lines = pl.DataFrame([frame.lines])
        self.kept.append(_KeptFrame(bare, self._write(frame.cells), self._write(lines)))

    def read(self, kept: _KeptFrame) -> Frame:
        """The frame as it was; it blocks."""
        cells, lines = self._read(kept.cells), self._read(kept.lines)
        return replace(kept.bare, cells=cells, lines=lines.to_series())

    def _write(self, cells: pl.DataFrame) -> _Place:
        stream = cells.write_ipc_stream(None, compression=COMPRESSION)
        return _Place(self.file.seek(0, 2), self.file.write(stream.getbuffer()))

    def _read(self, place: _Place) -> pl.DataFrame:
        self.file.seek(place.offset)
        return pl.read_ipc_stream(BytesIO(self.file.read(place.size)))


@dataclass(frozen=True)
class _HeldFrames(_Held):
    """Rows as the frames that the source yielded."""

    stored: _Frames

    @property
    def size_bytes(self) -> int:
        """Everything is here."""
        return self.stored.kept[-1].bare.bytes_read if self.stored.kept else 0

    async def frames(self, _plan: ColumnPlan) -> AsyncIterator[Frame]:
        """The frames, for the plan that they were read by."""
        for kept in self.stored.kept:
            yield await asyncio.to_thread(self.stored.read, kept)


async def _keep_copy(direct: DirectCopy, file: IO[bytes], outside: Outside) -> int:
    size_bytes = 0
    with _disk_full_translated():
        async with aclosing(direct.data) as data:
            async for piece in data:
                await asyncio.to_thread(file.write, piece)
                size_bytes += len(piece)
                outside.note_progress(Progress(0, 0, size_bytes, None))
    return size_bytes


async def _keep_frames(
    source: Source, plan: ColumnPlan, file: IO[bytes], outside: Outside
) -> _Frames:
    stored = _Frames(file, [])
    with _disk_full_translated():
        async with ahead(source.frames(plan)) as frames:
            async for frame in frames:
                await asyncio.to_thread(stored.keep, frame)
                outside.note_progress(Progress(0, 0, frame.bytes_read, None))
    return stored


def _temporary_file() -> IO[bytes]:
    return tempfile.TemporaryFile(prefix="tabularium-")


@contextmanager
def _disk_full_translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise StorageFullError("the worker's disk is full; nothing was loaded") from error
