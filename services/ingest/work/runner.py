"""One run after the other: claimed, worked on, ended; or given back, or found to be another's."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import stamina
import structlog

from services.ingest.clients import CatalogClient, RecordsClient
from services.ingest.domain.outcome import Outcome, Progress
from services.ingest.domain.run import Claim, Ending, Run
from services.ingest.errors import FencedOutError, TookTooLongError
from services.ingest.runs import endings, worked
from services.ingest.settings import IngestSettings
from services.ingest.storage import Storage
from services.ingest.work.apart import Apart, ProcessDiedError
from services.ingest.work.attempt import Attempt, LoadConnections, StoredRejects, StoredRows
from services.ingest.work.fates import Fail, GiveBack, NotOurs, Retries, exhausted, fate_of
from services.ingest.work.former import StoredFormerRows
from services.ingest.work.loads import Load
from services.ingest.work.measure import attempt_s, attempts, running
from services.ingest.work.rights import Rights
from services.ingest.work.slots import Shares
from services.ingest.work.tidy import Tidy
from shared.away import is_away
from shared.errors import ProblemError
from shared.process import tracing
from shared.process.request_id import current_request_id
from shared.process.stopping import end
from shared.store.engine import RawPool

log = structlog.get_logger()

STARTING_S = 60.0
"""How long a process that has an import to itself may take to start."""


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs imports."""

    pool: RawPool
    loads_pool: RawPool
    storage: Storage
    records: RecordsClient
    catalog: CatalogClient
    rights: Rights
    tidy: Tidy
    loads: Callable[[Run], Load]
    shares: Shares
    settings: IngestSettings
    apart: Apart

    async def run_next(self) -> bool:
        """Claim the next import that is due and work on it; False when there is none."""
        with ExitStack() as held:
            async with self.shares.claiming:
                claim = await worked.claim(
                    self.pool,
                    max_attempts=self.settings.max_attempts,
                    without=self.shares.full(),
                    lineage=self.settings.tells_lineage,
                )
                if claim is None:
                    return False
                held.enter_context(self.shares.held(claim.run.caller.sub))
            await self.work_on(claim, apart=claim.run.alone)
        return True

    async def work_on(self, claim: Claim, *, apart: bool = False) -> None:
        """Work on a claimed run; `apart`: in a process of its own, for which this one waits."""
        run = claim.run
        reset = current_request_id.set(run.request_id)
        with structlog.contextvars.bound_contextvars(import_id=run.id, attempt=run.attempt):
            try:
                with tracing.span(
                    f"import {run.kind.value}",
                    kind="consumer",
                    parent=tracing.parent_in(run.trace_parent),
                    attributes={
                        "tabularium.import_id": run.id,
                        "tabularium.attempt": run.attempt,
                        "tabularium.table": run.table,
                        "tabularium.request_id": run.request_id,
                    },
                ):
                    await self._work(claim, apart=apart)
            finally:
                current_request_id.reset(reset)

    async def _work(self, claim: Claim, *, apart: bool) -> None:
        run = claim.run
        kind = run.kind.value
        started = time.monotonic()
        log.info("import_started", kind=kind, table=run.table, exhausted=claim.exhausted)
        attempt = self._attempt(run)
        try:
            with running.track_inprogress(), attempt_s.labels(kind).time():
                await self._try(claim, attempt, apart=apart)
        except FencedOutError:
            attempts.labels(kind, "taken_over").inc()
            log.warning("import_fenced_out")
        log.info("import_left", duration_s=round(time.monotonic() - started, 3))
        await self.tidy.after(
            attempt.run,
            loaded=attempt.loaded,
            may_have_left=attempt.has_written or run.lease > 1,
        )

    async def _try(self, claim: Claim, attempt: Attempt, *, apart: bool) -> None:
        if claim.exhausted:
            await self._fail(attempt, exhausted(claim.run.attempt, claim.run.last_error))
        elif apart:
            await self._load_apart(attempt)
        else:
            await self._load(attempt)

    def _attempt(self, run: Run) -> Attempt:
        return Attempt(
            run=run,
            rejects=StoredRejects(run, storage=self.storage, pool=self.pool),
            former=StoredFormerRows(run.id, lease=run.lease, storage=self.storage)
            if self.settings.undo_retention_days
            else None,
            rehearsal=StoredRows(run, self.storage),
            seen=Progress(0, 0, 0, run.bytes_total),
            bookkeeping=self.pool,
            connections=LoadConnections(self.loads_pool),
            records=self.records,
            catalog=self.catalog,
            storage=self.storage,
            rights=self.rights,
            tells_lineage=self.settings.tells_lineage,
        )

    async def _load_apart(self, attempt: Attempt) -> None:
        starting = asyncio.create_task(self._beat_while_starting(attempt.run))
        try:
            await self.apart.work_on(attempt.run)
        except ProcessDiedError as exc:
            await self._meet(attempt, exc)
        finally:
            await end([starting])

    async def _beat_while_starting(self, run: Run) -> None:
        """The heartbeat of a process that is not there yet; later its own silence counts."""
        over_at = time.monotonic() + STARTING_S
        while time.monotonic() < over_at:
            await asyncio.sleep(min(self.settings.heartbeat_s, self.settings.silent_s / 4))
            try:
                if not await worked.keep_alive(self.pool, run):
                    return
            except Exception as exc:
                if not is_away(exc):
                    raise
                log.warning("heartbeat_missed", error=type(exc).__name__)

    async def _load(self, attempt: Attempt) -> None:
        try:
            attempt.run = await self.rights.confirmed(attempt.run)
            outcome = await self._while_watched(attempt)
            if attempt.run.options.dry_run:
                path = await attempt.rejects.finish()
                ending = endings.succeeded(
                    attempt.run,
                    outcome,
                    rejects_path=path,
                    rehearsal_path=await attempt.rehearsal.finish(),
                )
                await self._until_saved(lambda: self._end(attempt, ending))
            attempt.loaded = True
            attempts.labels(attempt.run.kind.value, "succeeded").inc()
            tracing.note({"tabularium.rows.loaded": outcome.rows.loaded})
            tracing.note({"tabularium.rows.rejected": outcome.rows.rejected})
            log.info("import_succeeded", loaded=outcome.rows.loaded, rejected=outcome.rows.rejected)
        except asyncio.CancelledError as exc:
            # The worker stops: the import goes on elsewhere, if it is ours to give back.
            with suppress(FencedOutError):
                await asyncio.shield(self._meet(attempt, exc))
            raise
        except Exception as exc:  # noqa: BLE001 - an edge: whatever broke this attempt, `fate_of` decides
            await self._meet(attempt, exc)

    async def _while_watched(self, attempt: Attempt) -> Outcome:
        """Load beside a heartbeat.

        A lost lease cancels the load and raises FencedOutError; the deadline, TookTooLongError.
        """
        limit_s = self.settings.import_deadline_s
        deadline = asyncio.timeout(limit_s)
        try:
            async with deadline, asyncio.TaskGroup() as group:
                watch = group.create_task(self._watch(attempt))
                outcome = await self.loads(attempt.run)(attempt)
                watch.cancel()
        except BaseExceptionGroup as broken:
            lost = broken.subgroup(FencedOutError)
            raise (lost or broken).exceptions[0] from None
        except TimeoutError as exc:
            if not deadline.expired():
                raise
            raise TookTooLongError(
                f"it was not done after {limit_s:g} s; nothing was loaded"
            ) from exc
        return outcome

    async def _watch(self, attempt: Attempt) -> None:
        beat_at, sent = time.monotonic(), attempt.seen
        while True:
            await asyncio.sleep(self.settings.progress_s)
            seen, now = attempt.seen, time.monotonic()
            try:
                if seen != sent or now - beat_at >= self.settings.heartbeat_s:
                    beating = await worked.beat(self.pool, attempt.run, seen)
                    beat_at, sent = now, seen
                else:
                    beating = False
                held = beating or await worked.is_held(self.pool, attempt.run)
            except Exception as exc:
                if not is_away(exc):
                    raise
                # The load's own connection decides whether the import can go on.
                log.warning("heartbeat_missed", error=type(exc).__name__)
                continue
            if not held:
                raise FencedOutError

    async def _meet(self, attempt: Attempt, error: BaseException) -> None:
        """Write what becomes of the run; raises FencedOutError when it is another's."""
        run = attempt.run
        retries = Retries(self.settings.max_attempts, base_s=self.settings.retry_base_s)
        match fate_of(error, run, retries, now=datetime.now(UTC)):
            case NotOurs():
                raise FencedOutError
            case Fail() as fate:
                await self._fail(attempt, fate)
            case GiveBack() as fate:
                attempts.labels(run.kind.value, "given_back").inc()
                tracing.failed("given_back")
                log.warning(
                    _event_of(fate, error),
                    delay_s=fate.delay_s,
                    reason=fate.reason,
                    exc_info=None if isinstance(error, ProblemError) else error,
                )
                await self._until_saved(
                    lambda: worked.give_back(
                        self.pool,
                        run,
                        delay_s=fate.delay_s,
                        reason=fate.reason,
                        counted=fate.counted,
                    )
                )

    async def _fail(self, attempt: Attempt, fate: Fail) -> None:
        path = await self._rejects_if_possible(attempt)
        document = fate.error.document(request_id=attempt.run.request_id)
        ending = endings.failed(attempt.run, document, seen=attempt.seen, rejects_path=path)
        await self._until_saved(lambda: self._end(attempt, ending))
        attempts.labels(attempt.run.kind.value, "failed").inc()
        tracing.failed(fate.error.code)
        log.warning("import_failed", code=fate.error.code)

    async def _end(self, attempt: Attempt, ending: Ending) -> None:
        lineage = self.settings.tells_lineage
        await worked.end(self.pool, attempt.run, ending, lineage=lineage)

    async def _rejects_if_possible(self, attempt: Attempt) -> str | None:
        # What keeps the rejects from storage must not keep the failure from its row.
        try:
            return await attempt.rejects.finish()
        except ProblemError as exc:
            log.warning("rejects_lost", code=exc.code)
            return None

    async def _until_saved(self, step: Callable[[], Awaitable[None]]) -> None:
        """Take a step although the database may be away for a moment.

        After `silent_s` it raises the database's error: the sweeper has the run by then.
        """
        async for trial in stamina.retry_context(
            on=is_away, attempts=None, timeout=self.settings.silent_s, wait_max=2
        ):
            with trial:
                await step()


def _event_of(fate: GiveBack, error: BaseException) -> str:
    if fate.counted:
        return "import_put_off"
    return "import_waits_for_peer" if isinstance(error, ProblemError) else "import_given_back"
