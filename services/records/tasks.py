"""What runs beside the requests: deliveries to the catalog, and the ear for changed tables."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import structlog

from services.records.clients import CatalogClient
from services.records.repository.notices import heed
from services.records.service.known_tables import KnownTables, Stores
from services.records.service.tables import TABLE_EVENT
from services.records.tables import idempotency, outbox
from shared.contracts.catalog import TableEvent
from shared.process.tasks import end
from shared.store.idempotency import purge_forever
from shared.store.outbox import deliver_forever

RECONNECT_S = 1.0

log = structlog.get_logger()


@asynccontextmanager
async def background(
    stores: Stores, catalog: CatalogClient, *, database_url: str
) -> AsyncIterator[None]:
    """Run the tasks of this process until the block ends."""

    async def tell(payload: Mapping[str, Any]) -> None:
        await catalog.tell(TableEvent.model_validate(payload))

    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(
                deliver_forever(stores.engine, outbox, {TABLE_EVENT: tell}, wake=stores.outbox_wake)
            ),
            group.create_task(purge_forever(stores.engine, idempotency)),
            group.create_task(listen_forever(stores.known, database_url)),
        ]
        try:
            yield
        finally:
            await end(tasks)


async def listen_forever(known: KnownTables, database_url: str) -> None:
    """Forget tables as soon as another process says that it changed them.

    Only a hint, since every statement looks at the versions; but after a lost connection, which
    may mean another database (a restored one), nothing known is kept.
    """
    while True:
        try:
            await heed(database_url, listening=known.clear, changed=known.forget)
        except ConnectionError as exc:
            log.warning("listener_waits_for_database", error=str(exc))
        known.clear()
        await asyncio.sleep(RECONNECT_S)
