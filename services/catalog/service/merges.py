"""Bulk merges: one streamed call, one transaction, all or nothing."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.catalog.domain import EtlKey, Merged
from services.catalog.pipeline.lines import Block, blocks_of_lines
from services.catalog.pipeline.scans import read_scan
from services.catalog.pipeline.triples import as_csv, read_triples
from services.catalog.repository import edges, locks, merging
from services.catalog.service.namespaces import Namespaces
from services.catalog.tables import BOOKS, NO_NAMESPACE
from shared.store.transaction import transaction

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Merges:
    """Merges streams of NDJSON.

    Each merge holds a connection for as long as its sender streams; `slots` limits how many run.
    """

    engine: AsyncEngine
    namespaces: Namespaces
    slots: asyncio.Semaphore

    async def triples(
        self, chunks: AsyncIterator[bytes], *, import_id: int, etl: str | None
    ) -> Merged:
        """Merge NDJSON of CatalogTriple; `etl` is the ETL of lines that name none.

        Raises LineRefusedError and StreamBrokenError, and then nothing was merged.
        """
        async with (
            self.slots,
            transaction(self.engine, BOOKS) as tx,
            aclosing(_csv(chunks, etl=etl)) as csv,
        ):
            await merging.stage(tx.connection)
            received = await merging.copy_triples(tx.raw, csv)
            await locks.write_alone(tx.connection)
            if etl is not None:
                now = await edges.now(tx.connection)
                await edges.ensure_etl(tx.connection, EtlKey(etl), seen_at=now)
            merged = await merging.merge_triples(
                tx.connection, import_id=import_id, received=received
            )
        return _logged(merged, import_id=import_id)

    async def scan(
        self,
        chunks: AsyncIterator[bytes],
        *,
        import_id: int,
        etl: str,
        namespace: str | None,
    ) -> Merged:
        """Merge a scan under one ETL, which is entered even if no table follows.

        `namespace` is the database. Tables that an older scan saw and this one did not stay; they
        have vanished if their schema was seen whole, or is not there. Raises as `triples`.
        """
        received, schemas = 0, dict[str, bool]()
        known_as = await self.namespaces.resolve(namespace)
        async with (
            self.slots,
            transaction(self.engine, BOOKS) as tx,
            aclosing(blocks_of_lines(chunks)) as blocks,
        ):
            await merging.stage(tx.connection)
            async for block in blocks:
                scanned = await asyncio.to_thread(read_scan, block, etl=etl)
                schemas |= scanned.schemas
                received += await merging.copy_scan(tx.raw, scanned.tables)
            await locks.write_alone(tx.connection)
            now = await edges.now(tx.connection)
            await edges.ensure_etl(tx.connection, EtlKey(etl), seen_at=now)
            merged = await merging.merge_scan(
                tx.connection,
                import_id=import_id,
                received=received,
                etl=etl,
                namespace=known_as or NO_NAMESPACE,
                schemas=schemas,
            )
        return _logged(merged, import_id=import_id)


async def _csv(chunks: AsyncIterator[bytes], *, etl: str | None) -> AsyncGenerator[bytes]:
    async with aclosing(blocks_of_lines(chunks)) as blocks:
        async for block in blocks:
            yield await asyncio.to_thread(_csv_of, block, etl)


def _csv_of(block: Block, etl: str | None) -> bytes:
    return as_csv(read_triples(block, etl=etl))


def _logged(merged: Merged, *, import_id: int) -> Merged:
    log.info(
        "merged",
        import_id=import_id,
        received=merged.received,
        inserted=merged.inserted,
        known=merged.known,
    )
    return merged
