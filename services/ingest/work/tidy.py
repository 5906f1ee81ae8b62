"""Keeping the house: silent runs taken over, what is no longer wanted removed from storage."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from services.ingest.domain import ImportId, Run, State
from services.ingest.runs.kept import KeepingRepository
from services.ingest.runs.worked import JobRepository
from services.ingest.settings import IngestSettings
from services.ingest.storage import REJECTS, UPLOADS, Storage, StoredObject
from services.ingest.work.attempt import lease_of, rejects_prefix

log = structlog.get_logger()

BATCH = 500


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What no single import does for itself."""

    jobs: JobRepository
    keeping: KeepingRepository
    storage: Storage
    settings: IngestSettings

    async def take_over(self) -> list[ImportId]:
        """Queue again what was lost with its worker."""
        taken = await self.jobs.take_over_silent(silent_s=self.settings.silent_s)
        for import_id in taken:
            log.warning("import_taken_over", import_id=import_id)
        return taken

    async def tidy(self, run: Run) -> None:
        """Remove what an attempt left: the upload after a success, rejects that nobody names."""
        now = await self.keeping.state_of(run.id)
        if now is None:
            return
        if now.state is State.SUCCEEDED and now.upload_path is not None:
            await self.storage.delete(now.upload_path)
            await self.keeping.forget_upload(run.id)
        async for found in self.storage.objects(rejects_prefix(run.id)):
            # A newer attempt may be writing its own by now.
            if found.path != now.rejects_path and lease_of(found.path) <= run.lease:
                await self.storage.delete_abandoned(found.path)

    async def keep_house(self) -> None:
        """Apply the retention rules, and remove what no import knows."""
        settings = self.settings
        for upload in await self.keeping.uploads_to_forget(days=settings.upload_retention_days):
            await self.storage.delete(upload.path)
            await self.keeping.forget_upload(upload.import_id)
        for kept in await self.keeping.rejects_to_forget(days=settings.rejects_retention_days):
            await self.storage.delete(kept.path)
            await self.keeping.forget_rejects(kept.import_id)
        removed = await self.keeping.delete_old(days=settings.run_retention_days)
        orphans = await self._remove_orphans()
        if removed or orphans:
            log.info("house_kept", runs=removed, orphans=orphans)

    async def _remove_orphans(self) -> int:
        removed = 0
        for prefix in (UPLOADS, REJECTS):
            batch: list[StoredObject] = []
            async for found in self.storage.objects(prefix):
                batch.append(found)
                if len(batch) == BATCH:
                    removed += await self._remove_unknown(batch)
                    batch = []
            removed += await self._remove_unknown(batch)
        return removed

    async def _remove_unknown(self, found: list[StoredObject]) -> int:
        newest = datetime.now(UTC) - timedelta(seconds=self.settings.orphan_grace_s)
        old = [item.path for item in found if item.modified_at < newest]
        known = await self.keeping.known_paths(old)
        unknown = [path for path in old if path not in known]
        for path in unknown:
            await self.storage.delete_abandoned(path)
        return len(unknown)
