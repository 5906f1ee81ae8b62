"""Rows that go from one PostgreSQL into the other as they come, without being read on the way."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import asyncpg

from services.ingest.domain import Progress
from services.ingest.load.outside import Connection, Outside
from services.ingest.load.readings import Passes, Reading
from services.ingest.load.target import Target
from services.ingest.plan.columns import ColumnPlan
from services.ingest.read.source import DirectCopy, SpeaksCopy


async def copy_directly(
    connection: Connection, target: Target, passes: Passes, plan: ColumnPlan
) -> tuple[Reading, int] | None:
    """COPY from the source straight into the table; None when that is impossible.

    One row that does not fit refuses the COPY as a whole: nothing of it stays then, and the
    rows have to be judged one by one, which finds the reasons.
    """
    source, outside = passes.source, passes.outside
    if not isinstance(source, SpeaksCopy) or plan.brings_ids:
        return None
    direct = source.copy(plan.columns, import_id=outside.import_id)
    if direct is None:
        return None
    reading = Reading()
    try:
        async with connection.transaction(), aclosing(_counted(direct, reading, outside)) as data:
            loaded = await target.copy(direct.columns, data)
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError):
        return None
    reading.rows = loaded
    return reading, loaded


async def _counted(
    direct: DirectCopy, reading: Reading, outside: Outside
) -> AsyncGenerator[bytes, None]:
    # Rows are not counted on the way: nobody looks into the bytes.
    async with aclosing(direct.data) as data:
        async for piece in data:
            reading.bytes += len(piece)
            outside.note_progress(Progress(0, 0, reading.bytes, None))
            yield piece
