"""The load of an undo: an earlier import, with its corrections, taken back in one transaction."""

from dataclasses import replace

from services.ingest.domain.options import Edited
from services.ingest.domain.outcome import Outcome
from services.ingest.domain.undo import why_not_now
from services.ingest.errors import NotUndoableError
from services.ingest.load.standing import Look
from services.ingest.load.target import Target
from services.ingest.load.transaction import Transaction
from services.ingest.load.undo import Undoing, refuse_changed_columns
from services.ingest.runs import events, submitted, undo
from services.ingest.runs.endings import edge_undone
from services.ingest.webhooks.events import EventType
from services.ingest.work.attempt import Attempt


async def take_back(attempt: Attempt) -> Outcome:
    """Undo the import that the run follows.

    Raises NotUndoableError, EditedSinceError, KeyTakenError, StillReferencedError.
    """
    contract = await attempt.contract()

    async def work(target: Target) -> Outcome:
        run, connection = attempt.run, target.connection
        undone = None
        if run.follows is not None:
            undone = await submitted.into_a_table(connection, run.follows)
        if undone is None:
            raise NotUndoableError("the import is no longer kept")
        family = await undo.family(connection, undone.id)
        if (reason := why_not_now(family)) is not None:
            raise NotUndoableError(reason)
        refuse_changed_columns(family, contract)
        look = Look(
            connection,
            attempt.storage,
            contract,
            family,
            await undo.later(connection, family),
        )
        outcome = await Undoing(look, run.edited or Edited.REFUSE).run(attempt.former)
        if not await undo.mark(connection, undone.id, by=run):
            raise NotUndoableError("another import has undone it just now")
        await events.note(connection, undone.id, EventType.IMPORT_UNDONE)
        if not await undo.is_only_feed(connection, undone, table_oid=contract.oid):
            return outcome
        return replace(outcome, intents=edge_undone(undone, table=contract.table))

    async def nothing_to_restart() -> None:
        """Former rows begin anew by themselves."""

    # Nobody may edit between the count and the deletion.
    return await Transaction(attempt, contract, alone=True).run(work, restart=nothing_to_restart)
