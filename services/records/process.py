"""What one process of the records service holds, and what it does beside its requests."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from services.records.clients import CatalogClient, IngestClient, SubjectClient
from services.records.face.answers import as_its_owner_sees_it
from services.records.repository import notices
from services.records.service.bulk import Bulk
from services.records.service.changes import Changes
from services.records.service.exports import Exports
from services.records.service.grants import Grants
from services.records.service.known_tables import KnownTables
from services.records.service.records import Records
from services.records.service.summaries import Summaries
from services.records.service.tables import TABLE_EVENT, TABLE_NEWS, Tables
from services.records.settings import RecordsSettings
from services.records.tables import outbox
from shared.contracts.catalog import TableEvent
from shared.contracts.events import TableNews
from shared.http.peers import PeerClient, TokenSource, http_client
from shared.process.duties import Duty, on_duty
from shared.process.places import Places
from shared.security.tokens import Verifier, verifying
from shared.store.engine import RawPool, database_engine, database_pool
from shared.store.outbox import deliver_due

RECONNECT_S = 1.0
STATEMENT_WAIT_S = 30.0
"""How long a call waits for the end of its subject's others: half of what the gateway waits."""
EXPORT_WAIT_S = 10.0
DELIVER_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class RecordsProcess:
    """Made once when the process starts, the same for every request."""

    settings: RecordsSettings
    verifier: Verifier
    engine: AsyncEngine
    """For what also writes audit or outbox; records and exports have pools of their own."""
    tables: Tables
    changes: Changes
    grants: Grants
    records: Records
    bulk: Bulk
    summaries: Summaries
    exports: Exports


@asynccontextmanager
async def opened(settings: RecordsSettings) -> AsyncIterator[RecordsProcess]:
    """Everything opened and running, ended in reverse order."""
    url = settings.database_url.get_secret_value()
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(http_client())
        engine, pool, exports_pool = await _databases(stack, settings, url)
        replica = await _replica(stack, settings)
        tokens = TokenSource(http, settings)
        verifier = await stack.enter_async_context(verifying(http, settings))
        subjects = SubjectClient(PeerClient(http, tokens, base_url=settings.auth_url))
        catalog = CatalogClient(PeerClient(http, tokens, base_url=settings.catalog_url))
        ingest = IngestClient(PeerClient(http, tokens, base_url=settings.ingest_url))
        known = KnownTables(pool, _places_of_statements(settings))
        wake, shown = asyncio.Event(), as_its_owner_sees_it
        duties = _duties(engine, known, catalog, ingest, wake=wake, listen_url=settings.direct_url)
        async with on_duty(*duties):
            yield RecordsProcess(
                settings=settings,
                verifier=verifier,
                engine=engine,
                tables=Tables(engine, pool, known, wake, shown),
                changes=Changes(engine, pool, known, wake, shown),
                grants=Grants(engine, pool, known, subjects),
                records=Records(engine, pool, known, _places_of_statements(settings)),
                bulk=Bulk(engine, pool, known),
                summaries=Summaries(
                    pool,
                    known,
                    _all_but_one(
                        settings.summaries_at_once, settings.summary_timeout_s, what="summaries"
                    ),
                    settings.summary_timeout_s,
                ),
                exports=Exports(
                    engine,
                    exports_pool,
                    known,
                    _all_but_one(settings.export_pool_size, EXPORT_WAIT_S, what="exports"),
                    replica,
                ),
            )


def _places_of_statements(settings: RecordsSettings) -> Places:
    connections = min(settings.database_pool_size, settings.engine_pool_size)
    return Places(
        settings.database_pool_size,
        per_subject=min(settings.statements_per_subject, max(1, connections - 1)),
        wait_s=STATEMENT_WAIT_S,
        what="calls",
    )


def _all_but_one(places: int, wait_s: float, *, what: str) -> Places:
    return Places(places, per_subject=max(1, places - 1), wait_s=wait_s, what=what)


async def _databases(
    stack: AsyncExitStack, settings: RecordsSettings, url: str
) -> tuple[AsyncEngine, RawPool, RawPool]:
    engine = await stack.enter_async_context(
        database_engine(
            url,
            application_name="tabularium-records:engine",
            pool_size=settings.engine_pool_size,
        )
    )
    pool = await stack.enter_async_context(
        database_pool(
            url,
            application_name="tabularium-records:records",
            size=settings.database_pool_size,
        )
    )
    exports_pool = await stack.enter_async_context(
        database_pool(
            url,
            application_name="tabularium-records:export",
            size=settings.export_pool_size,
        )
    )
    return engine, pool, exports_pool


async def _replica(stack: AsyncExitStack, settings: RecordsSettings) -> "RawPool | None":
    """The replica's pool, which needs no replica to start."""
    if settings.export_database_url is None:
        return None
    return await stack.enter_async_context(
        database_pool(
            settings.export_database_url.get_secret_value(),
            application_name="tabularium-records:export",
            size=settings.export_pool_size,
            kept=0,
        )
    )


def _duties(
    engine: AsyncEngine,
    known: KnownTables,
    catalog: CatalogClient,
    ingest: IngestClient,
    *,
    wake: asyncio.Event,
    listen_url: str,
) -> Sequence[Duty]:
    """Deliveries to the catalog and to ingest, and the listener for changed tables."""

    async def deliver_event(payload: Mapping[str, Any]) -> None:
        await catalog.send(TableEvent.model_validate(payload))

    async def deliver() -> None:
        await deliver_due(engine, outbox, {TABLE_EVENT: deliver_event})

    async def tell_news(payload: Mapping[str, Any]) -> None:
        await ingest.send(TableNews.model_validate(payload))

    async def tell() -> None:
        await deliver_due(engine, outbox, {TABLE_NEWS: tell_news})

    async def listen() -> None:
        # Only a hint, since every statement looks at the versions; but after a lost connection,
        # which may mean another database (a restored one), nothing known is kept.
        try:
            await notices.listen(listen_url, listening=known.clear, changed=known.forget)
        finally:
            known.clear()

    return (
        Duty("deliver", deliver, every_s=DELIVER_EVERY_S, woken_by=wake),
        # By itself: what one peer does not take holds up nothing that is for the other.
        Duty("tell", tell, every_s=DELIVER_EVERY_S),
        Duty("listen", listen, every_s=RECONNECT_S),
    )
