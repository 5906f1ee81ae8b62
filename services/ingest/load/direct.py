"""Rows that go from one PostgreSQL into the other as they come, without being read on the way."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import asyncpg

from services.ingest.domain import ImportId, Progress
from services.ingest.judge.judging import PlannedColumn
from services.ingest.load.outside import LoadPorts
from services.ingest.load.readings import Passes, Reading
from services.ingest.load.target import Target
from services.ingest.plan.columns import ColumnPlan


@dataclass(frozen=True, slots=True)
class Passing:
    """`columns` are the table's; `data` is binary COPY with these columns in this order."""

    columns: tuple[str, ...]
    data: AsyncGenerator[bytes, None]


@runtime_checkable
class PassingSource(Protocol):
    """A source that can speak binary COPY itself."""

    def passing(self, planned: Sequence[PlannedColumn], *, import_id: ImportId) -> Passing | None:
        """The rows with `_import` in front; None where some column's type is not the table's."""
        ...


async def pass_through(
    connection: "asyncpg.Connection[asyncpg.Record]",
    target: Target,
    passes: Passes,
    plan: ColumnPlan,
) -> tuple[Reading, int] | None:
    """COPY from the source straight into the table; None when that is impossible.

    One row that does not fit refuses the COPY as a whole: nothing of it stays then, and the
    rows have to be judged one by one, which finds the reasons.
    """
    source, ports = passes.source, passes.ports
    if not isinstance(source, PassingSource) or plan.brings_ids:
        return None
    passing = source.passing(plan.columns, import_id=ports.import_id)
    if passing is None:
        return None
    reading = Reading()
    try:
        async with connection.transaction(), aclosing(_counted(passing, reading, ports)) as data:
            loaded = await target.copy(passing.columns, data)
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError):
        return None
    reading.rows = loaded
    return reading, loaded


async def _counted(
    passing: Passing, reading: Reading, ports: LoadPorts
) -> AsyncGenerator[bytes, None]:
    # Rows are not counted on the way: nobody looks into the bytes.
    async with aclosing(passing.data) as data:
        async for piece in data:
            reading.bytes += len(piece)
            ports.on_progress(Progress(0, 0, reading.bytes, None))
            yield piece
