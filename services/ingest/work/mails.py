"""Mails about finished imports: sent, gathered for the next one, or not wanted."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from services.ingest import recipients
from services.ingest.domain.run import ImportId, MailState
from services.ingest.mailer import Mailer
from services.ingest.recipients import Turn
from services.ingest.reports.reports import Reports
from services.ingest.runs import kept, submitted
from services.ingest.runs.endings import MailNotice
from shared.store.engine import RawPool

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Mails:
    """Sends what an outbox says. An address that is not the submitter's own gets few of them."""

    pool: RawPool
    mailer: Mailer
    reports: Reports
    per_hour: int
    per_day: int

    async def deliver(self, notice: MailNotice) -> None:
        """Send a notice, alone or with what was gathered before it, or gather it.

        May be called again for the same notice. Raises MailServerDownError.
        """
        if notice.own:
            await self.mailer.send([notice], report=await self._report(notice))
            return
        turn = await self._turn(notice.to)
        if turn is Turn.FREE:
            await self._send(notice.to, notice)
            return
        if turn is Turn.LATER:
            await recipients.gather(
                self.pool,
                notice.to,
                import_id=notice.import_id,
                lease=notice.lease,
                notice=notice.model_dump_json(),
            )
        state = MailState.GATHERED if turn is Turn.LATER else MailState.STOPPED
        await kept.note_mail(self.pool, [ImportId(notice.import_id)], state)
        log.info("mail_not_sent", import_id=notice.import_id, turn=turn.value)

    async def send_gathered(self) -> None:
        """One mail to each address for which something waits, where its turn has come."""
        await recipients.forget_old(self.pool)
        for address in await recipients.waiting(self.pool):
            turn = await self._turn(address)
            if turn is Turn.FREE:
                await self._send(address)
            elif turn is Turn.STOPPED:
                unwanted = await recipients.gathered(self.pool, address)
                ids = [item.import_id for item in unwanted]
                await self._settle(address, ids, unwanted, MailState.STOPPED)

    async def _report(self, notice: MailNotice) -> str | None:
        """The report of an import as it ended; None where it was started anew, or is gone."""
        run = await submitted.into_a_table(self.pool, notice.import_id)
        if run is None or run.state is not notice.state:
            return None
        return await self.reports.attached(run)

    async def _turn(self, address: str) -> Turn:
        return await recipients.take_turn(
            self.pool, address, per_hour=self.per_hour, per_day=self.per_day
        )

    async def _send(self, address: str, *newest: MailNotice) -> None:
        before = await recipients.gathered(self.pool, address)
        notices = [MailNotice.model_validate_json(item.notice) for item in before]
        notices += [notice for notice in newest if notice not in notices]
        if not notices:  # another worker has sent them
            await recipients.give_turn_back(self.pool, address)
            return
        try:
            await self.mailer.send(notices)
        except BaseException:
            await asyncio.shield(recipients.give_turn_back(self.pool, address))
            raise
        ids = [notice.import_id for notice in notices]
        await self._settle(address, ids, before, MailState.SENT)

    async def _settle(
        self,
        address: str,
        import_ids: Sequence[int],
        gathered: Sequence[recipients.Gathered],
        state: MailState,
    ) -> None:
        """Say on the runs what became of their mails, and forget what was gathered."""
        async with self.pool.acquire() as connection, connection.transaction():
            await kept.note_mail(connection, [ImportId(each) for each in import_ids], state)
            await recipients.forget(connection, address, gathered)
