"""The retention rules applied: what no longer is kept goes, from storage and from the tables."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.ingest.domain.run import ImportId, Run, State
from services.ingest.runs import kept, reads
from services.ingest.settings import IngestSettings
from services.ingest.storage import (
    FORMER,
    REHEARSALS,
    REJECTS,
    UPLOADS,
    Storage,
    StoredObject,
    former_prefix,
    lease_of,
    rehearsal_prefix,
    rejects_prefix,
)
from services.ingest.uploads import repository
from services.ingest.webhooks import outgoing
from shared.store.engine import RawPool

log = structlog.get_logger()

BATCH = 500


@dataclass(frozen=True, slots=True)
class Tidy:
    """What no single import does for itself."""

    pool: RawPool
    engine: AsyncEngine
    storage: Storage
    settings: IngestSettings

    async def after(self, run: Run, *, loaded: bool, may_have_left: bool) -> None:
        """Remove what an attempt left: the upload after a success, what else no row names.

        `loaded`: this attempt has committed the run's success.
        """
        if loaded and not (may_have_left or run.options.dry_run or run.is_commit):
            await self._forget_upload(run.id, run.upload_path)
            return
        now = await kept.state_of(self.pool, run.id)
        if now is None:
            return
        if now.state is State.SUCCEEDED:
            await self._forget_upload(run.id, now.upload_path)
        if now.state is State.SUCCEEDED and run.is_commit and run.follows is not None:
            await self._forget_rehearsal(run.follows)
        if run.options.dry_run:
            await self._remove_old(rehearsal_prefix(run.id), run, now)
        if may_have_left:
            await self._remove_old(rejects_prefix(run.id), run, now)
            await self._remove_old(former_prefix(run.id), run, now)

    async def _forget_upload(self, import_id: ImportId, path: str | None) -> None:
        if path is not None:
            await self.storage.delete(path)
            await kept.forget_upload(self.pool, import_id)

    async def _forget_rehearsal(self, rehearsal_id: ImportId) -> None:
        now = await kept.state_of(self.pool, rehearsal_id)
        if now is not None and now.rehearsal_path is not None:
            await self.storage.delete(now.rehearsal_path)
            await kept.forget_rehearsal(self.pool, rehearsal_id)

    async def _remove_old(self, prefix: str, run: Run, now: kept.KeptState) -> None:
        named = (now.rejects_path, now.former_path, now.rehearsal_path)
        async for file in self.storage.objects(prefix):
            # A newer attempt may be writing its own by now.
            if file.path not in named and lease_of(file.path) <= run.lease:
                await self.storage.delete_abandoned(file.path)

    async def apply_retention(self) -> None:
        """Delete what its time is over for, and what no import knows."""
        settings = self.settings
        async with self.engine.begin() as connection:
            await reads.forget_passwords(connection, days=settings.source_password_retention_days)
        for upload in await kept.uploads_to_forget(self.pool, days=settings.upload_retention_days):
            await self.storage.delete(upload.path)
            await kept.forget_upload(self.pool, upload.import_id)
        for file in await kept.rejects_to_forget(self.pool, days=settings.rejects_retention_days):
            await self.storage.delete(file.path)
            await kept.forget_rejects(self.pool, file.import_id)
        for former in await kept.former_to_forget(self.pool, days=settings.undo_retention_days):
            await self.storage.delete(former.path)
            await kept.forget_former(self.pool, former.import_id)
        for rows in await kept.rehearsals_to_forget(
            self.pool, days=settings.rehearsal_retention_days
        ):
            await self.storage.delete(rows.path)
            await kept.forget_rehearsal(self.pool, rows.import_id)
        async with self.engine.begin() as connection:
            expired = await repository.remove_expired(connection, limit=BATCH)
        for path in expired:
            await self.storage.delete(path)
        await outgoing.forget_old(self.pool, days=settings.webhook_retention_days)
        removed = await kept.delete_old(self.pool, days=settings.run_retention_days)
        orphans = await self._remove_orphans()
        if removed or orphans:
            log.info("retention_applied", runs=removed, orphans=orphans)

    async def _remove_orphans(self) -> int:
        removed = 0
        for prefix in (UPLOADS, REJECTS, FORMER, REHEARSALS):
            batch: list[StoredObject] = []
            async for item in self.storage.objects(prefix):
                batch.append(item)
                if len(batch) == BATCH:
                    removed += await self._remove_unknown(batch)
                    batch = []
            removed += await self._remove_unknown(batch)
        return removed

    async def _remove_unknown(self, batch: list[StoredObject]) -> int:
        newest = datetime.now(UTC) - timedelta(seconds=self.settings.orphan_grace_s)
        old = [item.path for item in batch if item.modified_at < newest]
        known = await kept.known_paths(self.pool, old)
        async with self.engine.connect() as connection:
            known |= await repository.known_paths(connection, old)
        unknown = [path for path in old if path not in known]
        for path in unknown:
            await self.storage.delete_abandoned(path)
        return len(unknown)
