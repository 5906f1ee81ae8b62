"""Undos: asked for by those who may write to the table, counted before they are queued."""

from dataclasses import dataclass

from services.ingest.domain.options import Edited, ImportKind, ImportOptions
from services.ingest.domain.run import ImportRequest, Run, Submission
from services.ingest.domain.undo import Family, why_never, why_not_now
from services.ingest.errors import NotUndoableError
from services.ingest.load.standing import Look
from services.ingest.load.transaction import MAY_WAIT
from services.ingest.load.undo import refuse_changed_columns, refuse_edited
from services.ingest.runs import undo
from services.ingest.service.control import ImportControl
from services.ingest.service.intake import Intake
from services.ingest.storage import Storage
from shared.contracts.auth import Caller
from shared.contracts.records import TableContract
from shared.store.engine import RawPool


@dataclass(frozen=True, slots=True)
class Undos:
    """Takes undos in."""

    pool: RawPool
    storage: Storage
    control: ImportControl
    intake: Intake

    async def submit(self, caller: Caller, import_id: int, edited: Edited) -> Run:
        """Queue the undo of an import, or return the same one that is queued or running.

        Raises NotFoundError, ForbiddenError, NotUndoableError, EditedSinceError, QueueFullError.
        """
        run = await self.control.look(caller, import_id)
        if (reason := why_never(run)) is not None:
            raise NotUndoableError(reason)
        family = await undo.family(self.pool, run.id)
        if (reason := why_not_now(family)) is not None:
            raise NotUndoableError(reason)
        request = ImportRequest(
            kind=ImportKind.UNDO,
            options=ImportOptions(mode=run.options.mode),
            table=await self._table(run, family),
            follows=run.id,
            edited=edited,
        )

        async def check(contract: TableContract | None) -> None:
            assert contract is not None
            refuse_changed_columns(family, contract)
            if edited is Edited.REFUSE:
                await self._refuse_edited(family, contract)

        submission = Submission.of(request, caller=caller, evidence=[])
        return await self.intake.queue(submission, check=check)

    async def _table(self, run: Run, family: Family) -> str | None:
        """The name that the table has now."""
        oid = family.first.table_oid
        if oid is None:
            return run.table
        name = await undo.current_name(self.pool, oid)
        if name is None:
            raise NotUndoableError("the table is gone")
        return name

    async def _refuse_edited(self, family: Family, contract: TableContract) -> None:
        """Count now, so that the caller is answered at once; the undo itself counts again."""
        later = await undo.later(self.pool, family)
        async with self.pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                await connection.execute(MAY_WAIT)
                look = Look(connection, self.storage, contract, family, later)
                standing = await look.standing()
            finally:
                await transaction.rollback()
        refuse_edited(standing, family, Edited.REFUSE)
