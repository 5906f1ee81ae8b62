"""What one API process and one worker process hold, opened and closed in order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx2
from arq.connections import ArqRedis
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from services.ingest.clients import AuthClient, CatalogClient, RecordsClient
from services.ingest.connections.access import SourceAccess, source_access
from services.ingest.connections.guard import Endpoint, endpoints_of
from services.ingest.connections.saved import SavedConnections
from services.ingest.mailer import Mailer
from services.ingest.recipients import StopLinks
from services.ingest.reports.reports import Reports
from services.ingest.service.commits import Commits
from services.ingest.service.control import ImportControl
from services.ingest.service.corrections import Corrections
from services.ingest.service.databases import DatabaseImports
from services.ingest.service.feed_checks import FeedChecks
from services.ingest.service.feeds import Feeds
from services.ingest.service.intake import Intake
from services.ingest.service.mail_stops import MailStops
from services.ingest.service.previews import Previews
from services.ingest.service.undos import Undos
from services.ingest.service.uploads import Uploads
from services.ingest.service.watches import Watches
from services.ingest.settings import IngestSettings, WorkerSettings
from services.ingest.storage import Storage
from services.ingest.wake_ups import WakeUps, arq_redis, hint_redis
from services.ingest.webhooks.registered import Webhooks
from services.ingest.webhooks.send import Sender, sending
from services.ingest.work.apart import Apart
from services.ingest.work.attempt import CONNECTIONS_PER_LOAD
from services.ingest.work.deliver import Deliveries
from services.ingest.work.lineage import Lineage
from services.ingest.work.loads import Loads
from services.ingest.work.mails import Mails
from services.ingest.work.measure import measure
from services.ingest.work.openlineage import Names
from services.ingest.work.publish import Publisher
from services.ingest.work.rights import Rights
from services.ingest.work.runner import Runner
from services.ingest.work.slots import Shares, WorkerSlots, worker_slots
from services.ingest.work.table_news import TableNewsPublisher
from services.ingest.work.tidy import Tidy
from shared.http.peers import PeerClient, TokenSource, http_client
from shared.process.connection_string import database_of, servers_of
from shared.process.duties import Duty, on_duty
from shared.process.stopping import stop_event
from shared.security.tokens import Verifier, verifying
from shared.store.engine import RawPool, database_engine, database_pool

MEASURE_EVERY_S = 5.0
WATCH_AGAIN_S = 1.0
REDIS_RETRIES = 10


@dataclass(frozen=True, slots=True)
class IngestProcess:
    """Made once when the API starts, the same for every request."""

    settings: IngestSettings
    verifier: Verifier
    engine: AsyncEngine
    redis: ArqRedis
    storage: Storage
    intake: Intake
    databases: DatabaseImports
    saved: SavedConnections
    control: ImportControl
    reports: Reports
    feeds: Feeds
    undos: Undos
    commits: Commits
    corrections: Corrections
    uploads: Uploads
    watches: Watches
    mail_stops: MailStops
    previews: Previews
    webhooks: Webhooks
    stopping: asyncio.Event
    """Set when the process is to stop; open streams end then."""


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """Made once when a worker starts."""

    settings: WorkerSettings
    engine: AsyncEngine
    pool: RawPool
    redis: ArqRedis
    hints: Redis
    runner: Runner
    slots: WorkerSlots
    tidy: Tidy
    deliveries: Deliveries
    mails: Mails
    sender: Sender
    lineage: Lineage
    due: asyncio.Event
    """Set after each import: there may be something to deliver."""


@dataclass(frozen=True, slots=True)
class _Shared:
    """What both kinds of process begin with."""

    http: httpx2.AsyncClient
    engine: AsyncEngine
    redis: ArqRedis
    storage: Storage
    auth: AuthClient
    records: RecordsClient
    catalog: CatalogClient
    access: SourceAccess


@asynccontextmanager
async def opened(settings: IngestSettings) -> AsyncIterator[IngestProcess]:
    """An API's process; needs PostgreSQL and storage, and does without Redis."""
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            database_pool(
                settings.database_url.get_secret_value(),
                application_name="tabularium-ingest:api",
                size=settings.database_pool_size,
            )
        )
        shared = await stack.enter_async_context(_shared(settings, pool, redis_retries=1))
        verifier = await stack.enter_async_context(verifying(shared.http, settings))
        stopping = await stack.enter_async_context(stop_event())
        watches = Watches(pool, per_subject=settings.streams_per_subject)
        gauges = Duty("measure", lambda: measure(shared.engine), every_s=MEASURE_EVERY_S)
        watch = Duty("watch", watches.look, every_s=WATCH_AGAIN_S, woken_by=watches.wanted)
        async with on_duty(gauges, watch):
            yield _api(settings, shared, pool, verifier, watches, stopping)


def _api(
    settings: IngestSettings,
    shared: _Shared,
    pool: RawPool,
    verifier: Verifier,
    watches: Watches,
    stopping: asyncio.Event,
) -> IngestProcess:
    """The services of an API's process, over what was opened for it."""
    engine, storage = shared.engine, shared.storage
    records, access = shared.records, shared.access
    wake = WakeUps(shared.redis).send
    uploads = Uploads(engine=engine, storage=storage, limit_bytes=settings.upload_limit_bytes)
    intake = Intake(
        engine=engine,
        pool=pool,
        storage=storage,
        records=records,
        wake=wake,
        uploads=uploads,
        upload_limit_bytes=settings.upload_limit_bytes,
        queued_limit=settings.queued_per_subject,
    )
    control = ImportControl(
        engine=engine,
        pool=pool,
        storage=storage,
        records=records,
        wake=wake,
        queued_limit=settings.queued_per_subject,
        tells_lineage=settings.tells_lineage,
    )
    saved = SavedConnections(engine=engine, access=access)
    checks = FeedChecks(records, saved, access)
    return IngestProcess(
        settings=settings,
        verifier=verifier,
        engine=engine,
        redis=shared.redis,
        storage=storage,
        intake=intake,
        databases=DatabaseImports(intake=intake, saved=saved, access=access),
        saved=saved,
        control=control,
        reports=_reports(settings, shared, pool),
        feeds=Feeds(engine=engine, pool=pool, intake=intake, control=control, checks=checks),
        undos=Undos(pool=pool, storage=storage, control=control, intake=intake),
        commits=Commits(intake=intake, control=control),
        corrections=Corrections(intake=intake, control=control),
        uploads=uploads,
        watches=watches,
        mail_stops=MailStops(pool, _stop_links(settings)),
        previews=Previews(
            storage=storage, uploads=uploads, records=records, saved=saved, access=access
        ),
        webhooks=Webhooks(engine=engine, access=access, records=records),
        stopping=stopping,
    )


@asynccontextmanager
async def opened_worker(settings: WorkerSettings) -> AsyncIterator[WorkerProcess]:
    """A worker's process; at the end the imports that run are given back."""
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            database_pool(
                settings.database_url.get_secret_value(),
                application_name="tabularium-ingest:worker",
                size=settings.worker_concurrency * 2 + 4,
            )
        )
        shared = await stack.enter_async_context(
            _shared(settings, pool, redis_retries=REDIS_RETRIES)
        )
        # The same names stand for other temporary tables in the next load; what is prepared on them
        # returns the same types whatever theirs are, so PostgreSQL plans it anew by itself.
        loads_pool = await stack.enter_async_context(
            database_pool(
                settings.database_url.get_secret_value(),
                application_name="tabularium-ingest:load",
                size=settings.worker_concurrency * CONNECTIONS_PER_LOAD,
            )
        )
        hints = await stack.enter_async_context(hint_redis(settings.redis_url.get_secret_value()))
        sender = await stack.enter_async_context(sending(pool, shared.access))
        due = asyncio.Event()
        tidy = Tidy(pool=pool, engine=shared.engine, storage=shared.storage, settings=settings)
        runner = _runner(settings, shared, pool, loads_pool, tidy)
        # Opened last: its imports are given back before anything they work with is closed.
        slots = await stack.enter_async_context(
            worker_slots(runner.run_next, places=settings.worker_concurrency, after_each=due.set)
        )
        mails = _mails(settings, shared, pool)
        yield WorkerProcess(
            settings=settings,
            engine=shared.engine,
            pool=pool,
            redis=shared.redis,
            hints=hints,
            runner=runner,
            slots=slots,
            tidy=tidy,
            deliveries=_deliveries(shared, pool, mails, sender),
            mails=mails,
            sender=sender,
            lineage=Lineage(
                http=shared.http,
                engine=shared.engine,
                records=shared.records,
                settings=settings,
                names=_names(settings),
            ),
            due=due,
        )


def _runner(
    settings: WorkerSettings, shared: _Shared, pool: RawPool, loads_pool: RawPool, tidy: Tidy
) -> Runner:
    return Runner(
        pool=pool,
        loads_pool=loads_pool,
        storage=shared.storage,
        records=shared.records,
        catalog=shared.catalog,
        rights=Rights(shared.auth, fresh_s=settings.rights_fresh_s),
        tidy=tidy,
        loads=Loads(shared.engine, shared.access, settings.upload_limit_bytes).of,
        shares=Shares(settings.worker_concurrency),
        settings=settings,
        apart=Apart(settings),
    )


def _mails(settings: WorkerSettings, shared: _Shared, pool: RawPool) -> Mails:
    return Mails(
        pool=pool,
        mailer=Mailer(settings, _stop_links(settings), public_url=settings.public_url),
        reports=_reports(settings, shared, pool),
        per_hour=settings.mails_per_hour,
        per_day=settings.mails_per_day,
    )


def _deliveries(shared: _Shared, pool: RawPool, mails: Mails, sender: Sender) -> Deliveries:
    return Deliveries(
        pool=pool,
        mails=mails,
        catalog=shared.catalog,
        records=shared.records,
        table_news=TableNewsPublisher(pool=pool, auth=shared.auth),
        publisher=Publisher(pool=pool, auth=shared.auth, records=shared.records),
        published=sender.due.set,
    )


@asynccontextmanager
async def _shared(
    settings: IngestSettings, pool: RawPool, *, redis_retries: int
) -> AsyncIterator[_Shared]:
    async with (
        http_client() as http,
        database_engine(
            settings.database_url.get_secret_value(),
            application_name="tabularium-ingest:engine",
            pool_size=settings.database_pool_size,
        ) as engine,
        arq_redis(settings.redis_url.get_secret_value(), retries=redis_retries) as redis,
    ):
        tokens = TokenSource(http, settings)
        yield _Shared(
            http=http,
            engine=engine,
            redis=redis,
            storage=Storage(settings.storage_url),
            auth=AuthClient(PeerClient(http, tokens, base_url=settings.auth_url)),
            records=RecordsClient(PeerClient(http, tokens, base_url=settings.records_url), pool),
            catalog=CatalogClient(PeerClient(http, tokens, base_url=settings.catalog_url)),
            access=source_access(settings, engine, own=_own_servers(settings)),
        )


def _reports(settings: IngestSettings, shared: _Shared, pool: RawPool) -> Reports:
    return Reports(
        engine=shared.engine,
        pool=pool,
        records=shared.records,
        public_url=settings.public_url,
    )


def _stop_links(settings: IngestSettings) -> StopLinks:
    return StopLinks(
        settings.service_client_secret.get_secret_value(), public_url=settings.public_url
    )


def _names(settings: IngestSettings) -> Names:
    """What this installation and its database are called in lineage."""
    url = settings.direct_url
    host, port = servers_of(url)[0]
    public_url = settings.public_url.rstrip("/")
    return Names(
        producer=public_url,
        job_namespace=settings.openlineage_namespace,
        public_url=public_url,
        namespace=f"postgres://{host}:{port}",
        database=database_of(url),
    )


def _own_servers(settings: IngestSettings) -> list[Endpoint]:
    """What this installation runs or relies on, which no import may call."""
    services = (settings.auth_url, settings.catalog_url, settings.records_url, settings.ingest_url)
    own = [
        *(Endpoint(*server) for url in settings.own_databases for server in servers_of(url)),
        *endpoints_of(settings.redis_url.get_secret_value(), default_port=6379),
        *(endpoint for url in services for endpoint in endpoints_of(url, default_port=80)),
        *endpoints_of(settings.public_url, default_port=443),
    ]
    if settings.smtp_host is not None:
        own.append(Endpoint(settings.smtp_host, settings.smtp_port))
    return own
