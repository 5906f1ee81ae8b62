"""The task of each gateway process that counts errors and sends the mails."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog
from redis.asyncio import Redis

from gateway.alerts.domain import Counted, Example, Kind
from gateway.alerts.ledger import Ledger
from gateway.alerts.mails import Mail, counters_down, digest, first_of_its_kind
from gateway.metrics import alert_mails
from shared.process import mail as mail_server
from shared.process.duties import Duty, on_duty
from shared.process.settings import MailSettings
from shared.store.redis import REDIS_AWAY

FLUSH_EVERY_S = 1.0
RETRY_MAIL_S = 30.0
KINDS_LIMIT = 500
"""Kinds that a process holds between two flushes; more become one."""

log = structlog.get_logger()


class ErrorWatch:
    """Collects errors in memory and hands them to the ledger once a second."""

    def __init__(
        self,
        redis: Redis,
        mail: MailSettings,
        *,
        recipients: Sequence[str],
        window_s: float,
        retry_mail_s: float = RETRY_MAIL_S,
    ) -> None:
        self._ledger = Ledger(redis, window_s=window_s)
        self._mail = mail
        self._recipients = tuple(recipients)
        self._window_s = window_s
        self._retry_mail_s = retry_mail_s
        self._counted: dict[Kind, Counted] = {}
        self._loop = asyncio.get_running_loop()
        self._own_mail_due = float("-inf")

    def note(self, kind: Kind, example: Example) -> None:
        """Count one error; costs a look-up, so that a storm of them is cheap."""
        if kind not in self._counted and len(self._counted) >= KINDS_LIMIT:
            kind = Kind(method="*", route="other", status=kind.status, code="other")
        before = self._counted.get(kind)
        self._counted[kind] = Counted(kind, (before.count if before else 0) + 1, example)

    async def round(self) -> None:
        """One turn: hand over what was counted, write a digest that is due, send what waits."""
        try:
            await self._hand_over()
            await self._write_digest()
            while (waiting := await self._next()) is not None:
                if not await self._send_waiting(waiting):
                    break
        except REDIS_AWAY as exc:
            log.warning("alerts_wait_for_redis", error=type(exc).__name__)
            await self._send_without_redis()

    async def _hand_over(self) -> None:
        for kind, error in list(self._counted.items()):
            mail = first_of_its_kind(_mail_id(), error, window_s=self._window_s)
            await self._ledger.record(error, mail)
            self._forget(kind, error)

    def _forget(self, kind: Kind, recorded: Counted) -> None:
        """Take off what was handed over; more may have come while Redis took it."""
        now = self._counted[kind]
        if now.count == recorded.count:
            del self._counted[kind]
        else:
            self._counted[kind] = Counted(kind, now.count - recorded.count, now.newest)

    async def _write_digest(self) -> None:
        errors = await self._ledger.take_window()
        if errors:
            await self._ledger.put_digest(digest(_mail_id(), errors, window_s=self._window_s))

    async def _next(self) -> Mail | None:
        return await self._ledger.next_mail(lease_s=2 * self._mail.smtp_timeout_s)

    async def _send_waiting(self, mail: Mail) -> bool:
        if await self._send(mail):
            await self._ledger.mail_is_done()
            return True
        await self._ledger.try_mail_later(after_s=self._retry_mail_s)
        return False

    async def _send(self, mail: Mail) -> bool:
        """Whether the mail needs no other try."""
        message = mail_server.compose(
            self._mail,
            to=", ".join(self._recipients),
            subject=mail.subject,
            text=mail.text,
            message_id=f"<{mail.id}@gateway.tabularium>",
        )
        try:
            await mail_server.send(self._mail, message)
        except mail_server.MailServerDownError as exc:
            alert_mails.labels("postponed").inc()
            log.warning("alert_mail_postponed", reason=exc.detail)
            return False
        except mail_server.MailRefusedError as exc:
            alert_mails.labels("refused").inc()
            log.error("alert_mail_refused", subject=mail.subject, codes=exc.codes)  # noqa: TRY400 - the reason is the server's
            return True
        alert_mails.labels("sent").inc()
        return True

    async def _send_without_redis(self) -> None:
        """One mail a window from this process; what was counted stays for Redis's return."""
        now = self._loop.time()
        if not self._counted or now < self._own_mail_due:
            return
        mail = counters_down(_mail_id(), list(self._counted.values()), window_s=self._window_s)
        wait_s = self._window_s if await self._send(mail) else self._retry_mail_s
        self._own_mail_due = now + wait_s


def _mail_id() -> str:
    return secrets.token_hex(12)


@asynccontextmanager
async def error_watch(
    redis: Redis,
    mail: MailSettings | None,
    *,
    recipients: Sequence[str],
    window_s: float,
    flush_every_s: float = FLUSH_EVERY_S,
) -> AsyncIterator[ErrorWatch | None]:
    """The watch, running; None when there are no recipients.

    At the end, what was counted is handed over once more.
    """
    if mail is None or not recipients:
        yield None
        return
    watch = ErrorWatch(redis, mail, recipients=recipients, window_s=window_s)
    try:
        async with on_duty(Duty("alerts", watch.round, every_s=flush_every_s)):
            yield watch
    finally:
        await watch.round()
