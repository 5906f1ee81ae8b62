"""What one process of the catalog holds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from services.catalog.clients import IngestClient, RecordsClient
from services.catalog.namespaces import canonical
from services.catalog.service.by_hand import ByHand
from services.catalog.service.details import Details
from services.catalog.service.events import Events
from services.catalog.service.graphs import Graphs
from services.catalog.service.lineage import Lineage
from services.catalog.service.lists import Lists
from services.catalog.service.merges import Merges
from services.catalog.service.namespaces import Namespaces
from services.catalog.service.notes import Notes
from services.catalog.service.profiles import Profiles
from services.catalog.service.runs import Runs
from services.catalog.service.search import Search
from services.catalog.service.walks import Walks
from services.catalog.settings import CatalogSettings
from shared.http.peers import PeerClient, TokenSource, http_client
from shared.process.connection_string import database_of, servers_of
from shared.process.duties import Duty, on_duty
from shared.security.tokens import Verifier, verifying
from shared.store.engine import database_engine

MERGES_AT_A_TIME = 2
APPLY_EVERY_S = 2.0
"""Another process may have received what it did not apply."""
TIDY_EVERY_S = 3600.0


@dataclass(frozen=True, slots=True)
class CatalogProcess:
    """Made once when the process starts, the same for every request."""

    engine: AsyncEngine
    verifier: Verifier
    namespaces: Namespaces
    lists: Lists
    details: Details
    by_hand: ByHand
    events: Events
    merges: Merges
    graphs: Graphs
    lineage: Lineage
    runs: Runs
    walks: Walks
    notes: Notes
    profiles: Profiles
    search: Search


@asynccontextmanager
async def opened(settings: CatalogSettings) -> AsyncIterator[CatalogProcess]:
    """Everything opened, closed in reverse order at the end."""
    async with (
        http_client() as http,
        verifying(http, settings) as verifier,
        database_engine(
            settings.database_url.get_secret_value(),
            application_name="tabularium-catalog:engine",
            pool_size=settings.database_pool_size,
        ) as engine,
    ):
        tokens = TokenSource(http, settings)
        records = RecordsClient(PeerClient(http, tokens, base_url=settings.records_url))
        ingest = IngestClient(PeerClient(http, tokens, base_url=settings.ingest_url))
        namespaces = Namespaces(engine, own_namespaces(settings))
        details = Details(engine, namespaces, records, ingest)
        lineage = Lineage(
            engine,
            namespaces,
            asyncio.Event(),
            runs_kept=timedelta(days=settings.run_retention_days),
        )
        async with on_duty(
            Duty("lineage", lineage.apply, APPLY_EVERY_S, woken_by=lineage.wake),
            Duty("tidy", lineage.tidy, TIDY_EVERY_S),
        ):
            yield CatalogProcess(
                engine=engine,
                verifier=verifier,
                namespaces=namespaces,
                lists=Lists(engine, namespaces),
                details=details,
                by_hand=ByHand(engine, namespaces, records),
                events=Events(engine, namespaces),
                merges=Merges(engine, namespaces, asyncio.Semaphore(MERGES_AT_A_TIME)),
                graphs=Graphs(engine, namespaces),
                lineage=lineage,
                runs=Runs(engine, namespaces, ingest, records),
                walks=Walks(engine, namespaces, records),
                notes=Notes(engine, namespaces, records, details),
                profiles=Profiles(engine, namespaces, records, ingest),
                search=Search(engine, records),
            )


def own_namespaces(settings: CatalogSettings) -> frozenset[str]:
    """The names of the installation's own database as other programs would call it."""
    return frozenset(
        canonical(f"postgres://{host}:{port}/{database_of(url)}")
        for url in settings.own_databases
        for host, port in servers_of(url)
    )
