"""One attempt at one import: claimed, loaded, ended; or given back, or found to be another's."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
import stamina
import structlog

from services.ingest.clients import CatalogClient, RecordsClient
from services.ingest.connections.errors import SourceAwayError
from services.ingest.domain import Claim, ImportKind, Outcome, Progress, Run
from services.ingest.errors import AttemptsExhaustedError, FencedOutError
from services.ingest.runs import endings
from services.ingest.runs.rejects import RejectRepository
from services.ingest.runs.worked import JobRepository
from services.ingest.settings import IngestSettings
from services.ingest.storage import Storage
from services.ingest.work.attempt import Attempt, StoredRejects, load_pool
from services.ingest.work.tidy import Upkeep
from shared.errors import ProblemError, StorageFullError, UnavailableError
from shared.process.request_id import current_request_id
from shared.store.away import AWAY, is_away

Load = Callable[[Attempt], Awaitable[Outcome]]
"""Does the work of one kind of import; it makes its own final state true unless it is dry."""

log = structlog.get_logger()

LONGEST_DELAY_S = 60.0
LONGEST_WAIT = timedelta(days=1)
DATABASE_AWAY: tuple[type[Exception], ...] = (*AWAY, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs imports, one after the other, until none is due."""

    jobs: JobRepository
    kept_rejects: RejectRepository
    storage: Storage
    records: RecordsClient
    catalog: CatalogClient
    upkeep: Upkeep
    loads: Mapping[ImportKind, Load]
    settings: IngestSettings

    async def run_next(self) -> bool:
        """Claim the next import that is due and work on it; False when there is none."""
        claim = await self.jobs.claim(max_attempts=self.settings.max_attempts)
        if claim is None:
            return False
        run = claim.run
        reset = current_request_id.set(run.request_id)
        with structlog.contextvars.bound_contextvars(import_id=run.id, attempt=run.attempt):
            try:
                await self._work(claim)
            finally:
                current_request_id.reset(reset)
        return True

    async def _work(self, claim: Claim) -> None:
        run = claim.run
        started = time.monotonic()
        log.info("import_started", kind=run.kind.value, table=run.table, exhausted=claim.exhausted)
        try:
            async with self._attempt(run) as attempt:
                if claim.exhausted:
                    await self._fail(attempt, _exhausted(run.attempt, run.last_error))
                else:
                    await self._load(attempt)
        except FencedOutError:
            log.warning("import_fenced_out")
        log.info("import_left", duration_s=round(time.monotonic() - started, 3))
        await self.upkeep.tidy(run)

    @asynccontextmanager
    async def _attempt(self, run: Run) -> AsyncIterator[Attempt]:
        url = self.settings.database_url.get_secret_value()
        async with load_pool(url, run) as pool:
            yield Attempt(
                run=run,
                rejects=StoredRejects(run, storage=self.storage, kept=self.kept_rejects),
                seen=Progress(0, 0, 0, run.bytes_total),
                jobs=self.jobs,
                records=self.records,
                catalog=self.catalog,
                storage=self.storage,
                pool=pool,
            )

    async def _load(self, attempt: Attempt) -> None:
        try:
            outcome = await self._while_watched(attempt)
            if attempt.run.options.dry_run:
                path = await attempt.rejects.finish()
                ending = endings.success(attempt.run, outcome, rejects_path=path)
                await self._insist(lambda: self.jobs.end(attempt.run, ending))
            log.info("import_succeeded", loaded=outcome.rows.loaded, rejected=outcome.rows.rejected)
        except FencedOutError:
            raise
        except UnavailableError as exc:
            await self._when_the_peer_is_back(attempt, exc)
        except (StorageFullError, SourceAwayError) as exc:
            await self._later(attempt, exc, reason=exc.detail)
        except ProblemError as exc:
            await self._fail(attempt, exc)
        except asyncio.CancelledError:
            # The worker stops: the import goes on elsewhere, and this attempt does not count.
            await asyncio.shield(self._give_back(attempt.run))
            raise
        except Exception as exc:  # an edge: whatever broke this attempt, the import is tried again
            log.warning("attempt_broke", exc_info=exc)
            await self._later(attempt, exc, reason=_plain(exc))

    async def _while_watched(self, attempt: Attempt) -> Outcome:
        """Load beside a heartbeat; a lost lease cancels the load and raises FencedOutError."""
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(self._watch(attempt))
                outcome = await self.loads[attempt.run.kind](attempt)
                watch.cancel()
        except BaseExceptionGroup as broken:
            lost = broken.subgroup(FencedOutError)
            raise (lost or broken).exceptions[0] from None
        return outcome

    async def _watch(self, attempt: Attempt) -> None:
        beat_at, told = time.monotonic(), attempt.seen
        while True:
            await asyncio.sleep(self.settings.progress_s)
            seen, now = attempt.seen, time.monotonic()
            try:
                if seen != told or now - beat_at >= self.settings.heartbeat_s:
                    held = await self.jobs.beat(attempt.run, seen)
                    beat_at, told = now, seen
                else:
                    held = await self.jobs.is_held(attempt.run)
            except DATABASE_AWAY as exc:
                # The load's own connection decides whether the import can go on.
                log.warning("heartbeat_missed", error=type(exc).__name__)
                continue
            if not held:
                raise FencedOutError

    async def _fail(self, attempt: Attempt, error: ProblemError) -> None:
        path = await self._rejects_if_possible(attempt)
        document = error.document(request_id=attempt.run.request_id)
        ending = endings.failure(attempt.run, document, seen=attempt.seen, rejects_path=path)
        await self._insist(lambda: self.jobs.end(attempt.run, ending))
        log.warning("import_failed", code=error.code)

    async def _when_the_peer_is_back(self, attempt: Attempt, error: UnavailableError) -> None:
        """A peer that is away is no fault of the import: attempts do not count for a day."""
        run = attempt.run
        if datetime.now(UTC) - run.created_at > LONGEST_WAIT:
            await self._later(attempt, error, reason=error.detail)
            return
        delay_s = self.settings.retry_base_s * 2
        log.warning("import_waits_for_peer", delay_s=delay_s, reason=error.detail)
        await self._insist(
            lambda: self.jobs.give_back(run, delay_s=delay_s, reason=error.detail, uncounted=True)
        )

    async def _later(self, attempt: Attempt, error: Exception, *, reason: str) -> None:
        run = attempt.run
        if run.attempt >= self.settings.max_attempts:
            await self._fail(attempt, _exhausted(run.attempt, reason))
            return
        delay_s = min(self.settings.retry_base_s * 2 ** (run.attempt - 1), LONGEST_DELAY_S)
        log.warning("import_put_off", delay_s=delay_s, error=type(error).__name__)
        await self._insist(lambda: self.jobs.give_back(run, delay_s=delay_s, reason=reason))

    async def _rejects_if_possible(self, attempt: Attempt) -> str | None:
        # What keeps the rejects from storage must not keep the failure from its row.
        try:
            return await attempt.rejects.finish()
        except ProblemError as exc:
            log.warning("rejects_lost", code=exc.code)
            return None

    async def _insist(self, step: Callable[[], Awaitable[None]]) -> None:
        """Take a step although the database may be away for a moment.

        After `silent_s` it raises the database's error: the sweeper has the run by then.
        """
        async for trial in stamina.retry_context(
            on=DATABASE_AWAY, attempts=None, timeout=self.settings.silent_s, wait_max=2
        ):
            with trial:
                await step()

    async def _give_back(self, run: Run) -> None:
        try:
            await self.jobs.give_back(
                run, delay_s=0, reason="the worker was stopped", uncounted=True
            )
        except FencedOutError:
            log.info("import_not_ours_any_more")


def _exhausted(attempts: int, reason: str | None) -> AttemptsExhaustedError:
    why = reason or "no reason is known"
    return AttemptsExhaustedError(f"given up after {attempts} attempts; the last one: {why}")


def _plain(error: Exception) -> str:
    """Why an attempt broke, in words that hold no data of the file."""
    if is_away(error) or isinstance(error, OSError):
        return f"the database or the storage went away ({type(error).__name__})"
    if isinstance(error, asyncpg.PostgresError):
        return f"PostgreSQL refused: {error.args[0] if error.args else type(error).__name__}"
    return f"an unexpected {type(error).__name__}; the worker's log has more"
