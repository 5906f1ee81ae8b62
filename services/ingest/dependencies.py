"""What a process of ingest holds, and the aliases by which routes ask for it."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

import httpx2
from arq.connections import ArqRedis
from fastapi import Depends, Header, Request, Security
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import ClientDisconnect

from services.ingest.clients import CatalogClient, RecordsClient
from services.ingest.connections.access import source_access
from services.ingest.connections.saved import SavedConnections
from services.ingest.errors import UploadCutShortError
from services.ingest.service.control import Steering
from services.ingest.service.databases import DatabaseImports
from services.ingest.service.intake import Intake
from services.ingest.service.receive import IncomingBody
from services.ingest.settings import IngestSettings
from services.ingest.stopping import told_to_stop
from services.ingest.storage import Storage
from services.ingest.wake_ups import WakeUps, arq_redis
from shared.contracts.auth import Caller, Scope
from shared.http.caller import authenticated
from shared.http.peers import PeerClient, TokenSource, http_client
from shared.process.tasks import end
from shared.security.tokens import Verifier
from shared.store.engine import database_engine
from shared.store.idempotency import HEADER, KEY_LIMIT, checked_key

ABANDONED_TRANSACTION = "15s"
"""A process that is stopped between two statements must not hold a run's row for ever."""


@dataclass(frozen=True)
class IngestState:
    """Everything that one API process of ingest holds."""

    settings: IngestSettings
    engine: AsyncEngine
    redis: ArqRedis
    storage: Storage
    verifier: Verifier
    intake: Intake
    databases: DatabaseImports
    sources: SavedConnections
    steering: Steering
    stopping: asyncio.Event
    """Set when the process was told to stop; open streams end then."""


@dataclass(frozen=True)
class Peers:
    """The services that imports talk to."""

    records: RecordsClient
    catalog: CatalogClient


def peers_of(http: httpx2.AsyncClient, settings: IngestSettings) -> Peers:
    """Clients of the peers, with the process's own token."""
    tokens = TokenSource(http, settings)
    return Peers(
        records=RecordsClient(PeerClient(http, tokens, base_url=settings.records_url)),
        catalog=CatalogClient(PeerClient(http, tokens, base_url=settings.catalog_url)),
    )


@asynccontextmanager
async def bookkeeping_engine(settings: IngestSettings) -> AsyncIterator[AsyncEngine]:
    """The engine for short transactions on the service's own tables."""
    async with database_engine(
        settings.database_url.get_secret_value(),
        application_name="tabularium-ingest",
        pool_size=settings.database_pool_size,
        server_settings={"idle_in_transaction_session_timeout": ABANDONED_TRANSACTION},
    ) as engine:
        yield engine


@asynccontextmanager
async def running_state(settings: IngestSettings) -> AsyncIterator[IngestState]:
    """The state of an API process; needs PostgreSQL and storage, and does without Redis."""
    async with (
        http_client() as http,
        bookkeeping_engine(settings) as engine,
        arq_redis(settings.redis_url.get_secret_value(), retries=1) as redis,
        told_to_stop() as stopping,
    ):
        storage = Storage(settings.storage_url)
        wake = WakeUps(redis).send
        verifier = Verifier(
            http,
            jwks_url=f"{settings.auth_url}/.well-known/jwks.json",
            issuer=settings.token_issuer,
            audience=settings.token_audience,
        )
        intake = Intake(
            engine=engine,
            storage=storage,
            records=peers_of(http, settings).records,
            wake=wake,
            upload_limit_bytes=settings.upload_limit_bytes,
        )
        access = source_access(settings, engine)
        saved = SavedConnections(engine=engine, access=access)
        yield IngestState(
            settings=settings,
            engine=engine,
            redis=redis,
            storage=storage,
            verifier=verifier,
            intake=intake,
            databases=DatabaseImports(intake=intake, saved=saved, access=access),
            sources=saved,
            steering=Steering(engine=engine, storage=storage, wake=wake),
            stopping=stopping,
        )


@asynccontextmanager
async def background(task: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Something that goes on beside the app until it stops."""
    async with asyncio.TaskGroup() as group:
        running = group.create_task(task)
        yield
        await end([running])


def ingest_state(request: Request) -> IngestState:
    """The process's state."""
    state: IngestState = request.state.state
    return state


def incoming(request: Request) -> IncomingBody:
    """The request's body, not read yet."""
    length = request.headers.get("content-length", "")
    return IncomingBody(
        content_type=request.headers.get("content-type", ""),
        content_length=int(length) if length.isdecimal() else None,
        chunks=_chunks(request),
    )


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect as exc:
        raise UploadCutShortError("the client went away in mid-upload") from exc


def request_key(
    key: Annotated[
        str | None,
        Header(
            alias=HEADER,
            min_length=1,
            max_length=KEY_LIMIT,
            description="Kept 24 h: the same request again is answered with what it made before.",
        ),
    ] = None,
) -> str | None:
    """The caller's `Idempotency-Key`; raises InvalidInputError for what cannot be one."""
    return None if key is None else checked_key(key)


State = Annotated[IngestState, Depends(ingest_state)]
Body = Annotated[IncomingBody, Depends(incoming)]
Importer = Annotated[Caller, Security(authenticated, scopes=[Scope.IMPORTS_WRITE])]
Cataloguer = Annotated[Caller, Security(authenticated, scopes=[Scope.CATALOG_WRITE])]
Peer = Annotated[Caller, Security(authenticated, scopes=[Scope.INTERNAL])]
RequestKey = Annotated[str | None, Depends(request_key)]
