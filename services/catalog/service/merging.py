"""Bulk merges: one streamed call, one transaction, all or nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.catalog.domain import Merged
from services.catalog.pipeline.lines import blocks_of_lines
from services.catalog.pipeline.scans import read_scan
from services.catalog.pipeline.triples import read_triples
from services.catalog.repository import edges, locks, merging
from shared.contracts.catalog import MergeAnswer

log = structlog.get_logger()


async def merge_triples(
    engine: AsyncEngine, chunks: AsyncIterator[bytes], *, import_id: int, etl: str | None
) -> MergeAnswer:
    """Merge NDJSON of CatalogTriple; `etl` is the ETL of lines that name none.

    Raises LineRefusedError and StreamBrokenError, and then nothing was merged.
    """
    received = 0
    async with engine.begin() as connection, aclosing(blocks_of_lines(chunks)) as blocks:
        await merging.stage(connection)
        async for block in blocks:
            rows = await asyncio.to_thread(read_triples, block, etl=etl)
            await merging.copy_triples(connection, rows)
            received += len(rows)
        await locks.write_alone(connection)
        if etl is not None:
            await edges.ensure_etl(connection, etl, seen_at=await edges.now(connection))
        merged = await merging.merge_triples(connection, import_id=import_id)
    return _answer(merged, received=received, import_id=import_id)


async def merge_scan(
    engine: AsyncEngine, chunks: AsyncIterator[bytes], *, import_id: int, etl: str
) -> MergeAnswer:
    """Merge NDJSON of ScannedTable under one ETL, which is made even if no table follows.

    Tables that an older scan saw and this one did not stay. Raises as `merge_triples`.
    """
    received = 0
    async with engine.begin() as connection, aclosing(blocks_of_lines(chunks)) as blocks:
        await merging.stage(connection)
        async for block in blocks:
            rows = await asyncio.to_thread(read_scan, block, etl=etl)
            await merging.copy_scan(connection, rows)
            received += len(rows)
        await locks.write_alone(connection)
        await edges.ensure_etl(connection, etl, seen_at=await edges.now(connection))
        merged = await merging.merge_scan(connection, import_id=import_id)
    return _answer(merged, received=received, import_id=import_id)


def _answer(merged: Merged, *, received: int, import_id: int) -> MergeAnswer:
    log.info(
        "merged",
        import_id=import_id,
        received=received,
        inserted=merged.inserted,
        known=merged.known,
    )
    return MergeAnswer(
        received=received,
        inserted=merged.inserted,
        known=merged.known,
        merged_at=merged.merged_at,
    )
