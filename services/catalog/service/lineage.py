"""Events of OpenLineage: received at once, applied a moment later.

Receiving writes the event into an inbox and nothing else, so that a client that waits five seconds
never waits for a bulk merge, and no event is lost once it was answered. Applying them is one
transaction for many events; repeated, late and out of order it comes to the same.
"""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.catalog.lineage import Event
from services.catalog.pipeline.lineage_rows import Gathered
from services.catalog.pipeline.openlineage import read_event
from services.catalog.repository import edges, locks
from services.catalog.repository import lineage as repository
from services.catalog.service.namespaces import Aliases, Namespaces
from services.catalog.tables import BOOKS
from shared.away import is_away
from shared.store.transaction import Transaction, transaction

EVENTS_AT_ONCE = 500
BYTES_AT_ONCE = 16 << 20
BODIES_AT_ONCE = 4
REFUSALS_KEPT = timedelta(days=7)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Lineage:
    """Receives and applies events."""

    engine: AsyncEngine
    namespaces: Namespaces
    wake: asyncio.Event
    """Set when there is something to apply."""
    runs_kept: timedelta
    """After their last event."""

    reading: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(BODIES_AT_ONCE))
    """Reading a body needs many times its size."""

    async def receive(self, bodies: Sequence[bytes]) -> None:
        """Keep events that can be read; each is one JSON object."""
        if bodies:
            async with transaction(self.engine, BOOKS) as tx:
                await repository.receive(tx.raw, bodies)
            self.wake.set()

    async def apply(self) -> None:
        """Apply every event that waits."""
        while await self._apply_some():
            pass

    async def tidy(self) -> None:
        """Delete runs that are old, and events that could not be applied."""
        async with transaction(self.engine, BOOKS) as tx:
            await repository.forget_old(
                tx.raw, runs_kept=self.runs_kept, refusals_kept=REFUSALS_KEPT
            )

    async def _apply_some(self) -> bool:
        """Apply some events; False when none waits, or another process is at it."""
        aliases = await self.namespaces.aliases()
        async with transaction(self.engine, BOOKS) as tx:
            if not await repository.take_turn(tx.raw):
                return False
            waiting = await repository.waiting(
                tx.raw, limit=EVENTS_AT_ONCE, limit_bytes=BYTES_AT_ONCE
            )
            if not waiting:
                return False
            await locks.write_beside_others(tx.connection, patient=True)
            applied = await self._write_all(tx, waiting, aliases)
            await repository.forget(tx.raw, applied)
        log.info("lineage_applied", events=len(applied))
        return True

    async def _write_all(
        self, tx: Transaction, waiting: Sequence[tuple[int, bytes]], aliases: Aliases
    ) -> Sequence[int]:
        """Write events at once, or one by one where one of them fails; returns those written."""
        try:
            async with tx.connection.begin_nested():
                await _write(tx, [body for _, body in waiting], aliases)
        except Exception as exc:
            if is_away(exc) or len(waiting) == 1:
                raise
        else:
            return [id_ for id_, _ in waiting]
        applied: list[int] = []
        for id_, body in waiting:
            try:
                applied += await self._write_all(tx, [(id_, body)], aliases)
            except Exception as exc:  # an edge: an event that fails must not hold up the others
                if is_away(exc):
                    raise
                log.exception("lineage_refused", inbox_id=id_)
                await repository.refuse(tx.raw, id_, error=f"{type(exc).__name__}: {exc}")
        return applied


async def _write(tx: Transaction, bodies: Sequence[bytes], aliases: Aliases) -> None:
    events = await asyncio.to_thread(_read, bodies)
    known = {(event.run.id, event.run.type.value, event.at) for event in events if event.run}
    fresh = await repository.new_events(tx.raw, known)
    gathered = Gathered(_unknown(events, fresh), aliases)
    now = await edges.now(tx.connection)
    etls = await repository.etl_ids(tx.raw, gathered.etls, seen_at=now)
    tables = await repository.table_ids(tx.raw, gathered.tables, seen_at=now)
    kept = await repository.facets_of_runs(tx.raw, gathered.run_ids)
    for statement, rows in (
        (repository.RUNS, gathered.runs(etls)),
        (repository.OUTPUTS, gathered.outputs(etls, tables)),
        (repository.INPUTS, gathered.inputs(etls, tables)),
        (repository.ETL_FACETS, gathered.etl_facets(etls)),
        (repository.TABLE_FACETS, gathered.table_facets(tables)),
        (repository.RUN_FACETS, gathered.run_facets(tables, kept=kept)),
        (repository.OLDER_COLUMNS, gathered.column_sets(etls, tables)),
        (repository.COLUMNS, gathered.columns(etls, tables)),
    ):
        await repository.put(tx.raw, statement, rows)


def _read(bodies: Sequence[bytes]) -> list[Event]:
    return [read_event(body) for body in bodies]


def _unknown(events: Sequence[Event], fresh: Collection[object]) -> Iterator[Event]:
    """The events that have not been applied before, each once."""
    left = set(fresh)
    for event in events:
        if event.run is None:
            yield event
            continue
        key = (event.run.id, event.run.type.value, event.at)
        if key in left:
            left.remove(key)
            yield event
