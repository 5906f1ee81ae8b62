"""The last lines of a source, which somebody says are no rows."""

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import replace

from services.ingest.read.frame import Frame


async def without_last(frames: AsyncIterator[Frame], lines: int) -> AsyncIterator[Frame]:
    """The frames without so many last rows, refused ones counted, blank ones not."""
    held: deque[Frame] = deque()
    rows = 0
    async for frame in frames:
        held.append(frame)
        rows += frame.rows
        while (lines == 0 and held) or (held and rows - held[0].rows >= lines):
            first = held.popleft()
            rows -= first.rows
            yield first
    while held:
        frame = held.popleft()
        rows -= frame.rows
        yield _cut(frame, max(0, lines - rows))


def _cut(frame: Frame, count: int) -> Frame:
    """A frame without its last rows."""
    if not count:
        return frame
    places = sorted([*frame.lines.to_list(), *(row.line for row in frame.refused)])
    kept = places[: max(0, len(places) - count)]
    last = kept[-1] if kept else -1
    height = int((frame.lines <= last).sum())
    return replace(
        frame,
        cells=frame.cells.head(height),
        lines=frame.lines.head(height),
        refused=tuple(row for row in frame.refused if row.line <= last),
        absent={name: mark.head(height) for name, mark in frame.absent.items()},
        faults=tuple(fault for fault in frame.faults if fault.row < height),
        strings={name: row for name, row in frame.strings.items() if row < height},
    )
