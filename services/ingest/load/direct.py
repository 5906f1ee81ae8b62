"""Rows that go from one PostgreSQL into the other as they come, without being read on the way."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import asyncpg

from services.ingest.domain.outcome import Progress
from services.ingest.load.modes import Load, Loaded
from services.ingest.load.outside import Outside
from services.ingest.load.readings import Seen
from services.ingest.read.source import DirectCopy, SpeaksCopy


async def copy_directly(load: Load) -> Loaded | None:
    """COPY from the source straight into the table; None when that is impossible.

    One row that does not fit refuses the COPY as a whole: nothing of it stays then, and the
    rows have to be judged one by one, which finds the reasons.
    """
    source = load.readings.source
    # What is to be kept has to be seen.
    if not isinstance(source, SpeaksCopy) or load.plan.brings_ids or load.readings.keeper:
        return None
    direct = source.copy(load.plan, import_id=load.outside.import_id)
    if direct is None:
        return None
    seen = Seen()
    try:
        async with (
            load.connection.transaction(),
            aclosing(_counted(direct, seen, load.outside)) as data,
        ):
            seen.rows = await load.target.copy(direct.columns, data)
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError):
        return None
    return Loaded(seen, inserted=seen.rows)


async def _counted(direct: DirectCopy, seen: Seen, outside: Outside) -> AsyncGenerator[bytes, None]:
    # Rows are not counted on the way, because nothing looks into the bytes.
    async with aclosing(direct.data) as data:
        async for piece in data:
            seen.bytes += len(piece)
            outside.note_progress(Progress(0, 0, seen.bytes, None))
            yield piece
