"""Bulk merges: one streamed call, one transaction, all or nothing."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.catalog.domain import Merged
from services.catalog.pipeline.lines import Block, blocks_of_lines
from services.catalog.pipeline.scans import read_scan
from services.catalog.pipeline.triples import as_csv, read_triples
from services.catalog.repository import edges, locks, merging
from shared.contracts.catalog import MergeAnswer

log = structlog.get_logger()


@dataclass
class _Triples:
    """What comes in, as it goes on to COPY; `received` counts the lines so far."""

    chunks: AsyncIterator[bytes]
    etl: str | None
    received: int = 0

    async def csv(self) -> AsyncGenerator[bytes]:
        async with aclosing(blocks_of_lines(self.chunks)) as blocks:
            async for block in blocks:
                lines, csv = await asyncio.to_thread(self._csv_of, block)
                self.received += lines
                yield csv

    def _csv_of(self, block: Block) -> tuple[int, bytes]:
        names = read_triples(block, etl=self.etl)
        return names.height, as_csv(names)


async def merge_triples(
    engine: AsyncEngine, chunks: AsyncIterator[bytes], *, import_id: int, etl: str | None
) -> MergeAnswer:
    """Merge NDJSON of CatalogTriple; `etl` is the ETL of lines that name none.

    Raises LineRefusedError and StreamBrokenError, and then nothing was merged.
    """
    triples = _Triples(chunks, etl)
    async with engine.begin() as connection, aclosing(triples.csv()) as csv:
        await merging.stage(connection)
        await merging.copy_triples(connection, csv)
        await locks.write_alone(connection)
        if etl is not None:
            await edges.ensure_etl(connection, etl, seen_at=await edges.now(connection))
        merged = await merging.merge_triples(connection, import_id=import_id)
    return _answer(merged, received=triples.received, import_id=import_id)


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
