"""Looking at imports, cancelling them and trying them again."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.ingest.domain import ImportId, KeptReject, Run
from services.ingest.errors import RequestKeyReusedError, StateForbidsError, UploadGoneError
from services.ingest.routes.schemas import ImportAnswer
from services.ingest.runs import asked, rejects
from services.ingest.runs.asked import KeptAnswer, QueueFigures, RunFilter
from services.ingest.runs.endings import drop_made_table, load_name
from services.ingest.storage import Storage
from services.ingest.tables import outbox
from shared.contracts.auth import Caller
from shared.errors import NotFoundError
from shared.store.audit import record_event
from shared.store.outbox import intend

ACCEPTED = 202


@dataclass(frozen=True, slots=True)
class Steering:
    """What a caller can do with imports that exist."""

    engine: AsyncEngine
    storage: Storage
    wake: Callable[[ImportId], Awaitable[None]]

    async def look_at(self, import_id: int, *, viewer: Caller) -> Run:
        """The import; raises NotFoundError when the caller may not see it."""
        async with self.engine.connect() as connection:
            return await _seen(connection, import_id, viewer)

    async def page(self, wanted: RunFilter, *, viewer: Caller, limit: int) -> list[Run]:
        """Up to `limit` imports that the caller may see, newest first."""
        async with self.engine.connect() as connection:
            return await asked.page(connection, wanted, viewer=viewer, limit=limit)

    async def feeding(self, *, table: str | None, etl: str | None, limit: int) -> list[Run]:
        """The newest imports into a table or by an ETL; for our peers."""
        async with self.engine.connect() as connection:
            return await asked.feeding(connection, table=table, etl=etl, limit=limit)

    async def figures(self) -> QueueFigures:
        """Counts for the metrics."""
        async with self.engine.connect() as connection:
            return await asked.figures(connection)

    async def rejects_of(
        self, import_id: int, *, viewer: Caller, after: int, limit: int
    ) -> list[KeptReject]:
        """Rejects of the newest pass; raises NotFoundError."""
        async with self.engine.connect() as connection:
            run = await _seen(connection, import_id, viewer)
            return await rejects.page(connection, run, after=after, limit=limit)

    async def rejects_file(self, import_id: int, *, viewer: Caller) -> AsyncIterator[bytes]:
        """The rejects CSV as it was written; empty when nothing was refused (so far).

        Raises NotFoundError, and ObjectMissingError when it is no longer kept.
        """
        run = await self.look_at(import_id, viewer=viewer)
        if run.rejects_path is None:
            return _nothing()
        await self.storage.size_bytes(run.rejects_path)
        return self.storage.chunks(run.rejects_path)

    async def cancel(
        self, import_id: int, *, caller: Caller, request_key: str | None
    ) -> ImportAnswer:
        """End a queued or running import; nothing of it is loaded.

        Raises NotFoundError, StateForbidsError, BeingCommittedError.
        """
        async with self.engine.begin() as connection:
            kept = await _kept(connection, caller, request_key, f"cancel {import_id}")
            if kept is not None:
                return kept
            run = await _seen(connection, import_id, caller)
            cancelled = await asked.cancel(connection, run, application_name=load_name(run.id))
            if cancelled is None:
                run = await _seen(connection, import_id, caller)
                raise StateForbidsError(f"the import is {run.state.value} already")
            for intent in drop_made_table(cancelled):
                await intend(connection, outbox, kind=intent.kind, payload=intent.fields)
            return await _told(connection, cancelled, caller, request_key, "cancel")

    async def retry(
        self, import_id: int, *, caller: Caller, request_key: str | None
    ) -> ImportAnswer:
        """Queue a failed or cancelled import again.

        Raises NotFoundError, StateForbidsError, UploadGoneError, AlreadyQueuedError.
        """
        async with self.engine.begin() as connection:
            kept = await _kept(connection, caller, request_key, f"retry {import_id}")
            if kept is not None:
                return kept
            run = await _seen(connection, import_id, caller)
            queued = await asked.queue_again(connection, run)
            if queued is None:
                if run.upload_path is None and run.state.is_final:
                    raise UploadGoneError("its file is no longer kept; upload it again")
                raise StateForbidsError(f"the import is {run.state.value}; there is no retrying")
            answer = await _told(connection, queued, caller, request_key, "retry")
        await self.wake(queued.id)
        return answer


async def _seen(connection: AsyncConnection, import_id: int, viewer: Caller) -> Run:
    run = await asked.one(connection, import_id, viewer=viewer)
    if run is None:
        raise NotFoundError(f"there is no import {import_id}")
    return run


async def _kept(
    connection: AsyncConnection, caller: Caller, request_key: str | None, fingerprint: str
) -> ImportAnswer | None:
    if request_key is None:
        return None
    kept = await asked.kept_answer(connection, caller, request_key)
    if kept is None:
        return None
    if kept.fingerprint != fingerprint:
        raise RequestKeyReusedError("this Idempotency-Key was sent with another request")
    return ImportAnswer.model_validate(kept.body)


async def _told(
    connection: AsyncConnection, run: Run, caller: Caller, request_key: str | None, verb: str
) -> ImportAnswer:
    await record_event(
        connection, subject=caller.sub, action=f"import.{verb}", object_=f"import:{run.id}"
    )
    answer = ImportAnswer.of_run(run, now=datetime.now(UTC))
    if request_key is not None:
        kept = KeptAnswer(
            fingerprint=f"{verb} {run.id}", status=ACCEPTED, body=answer.model_dump(mode="json")
        )
        await asked.keep_answer(connection, caller, request_key, kept)
    return answer


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
