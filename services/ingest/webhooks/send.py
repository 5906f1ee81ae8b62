"""Messages on their way: claimed, signed, sent, and tried again; many at once.

Each is a task of its own, so a receiver that takes its time, or does not answer, holds up its own
messages alone. The guard is asked about every address that is connected to, on every attempt.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aiohttp
import structlog

from services.ingest.connections import web
from services.ingest.connections.access import SourceAccess
from services.ingest.connections.errors import SourcesNotSetUpError
from services.ingest.webhooks import outgoing
from services.ingest.webhooks.domain import (
    Attempt,
    Claimed,
    DisabledReason,
    Held,
    WebhookId,
    next_wait_s,
    secret_row,
)
from services.ingest.webhooks.notice import MAIL_INTENT
from services.ingest.webhooks.signing import headers_of
from shared import __version__
from shared.away import is_away
from shared.process.stopping import end
from shared.security.sealing import SealBrokenError
from shared.store.engine import RawPool

PLACES = 64
PER_OWNER = PLACES // 2
"""How many messages of one owner are on their way at once."""
ANSWER_S = 15.0
"""How long a receiver may take for its whole answer."""
GONE = 410

log = structlog.get_logger()


class Sender:
    """Sends what is due, up to `PLACES` messages at once."""

    def __init__(self, pool: RawPool, http: aiohttp.ClientSession, access: SourceAccess) -> None:
        self._pool = pool
        self._http = http
        self._access = access
        self._tasks: dict[asyncio.Task[None], Claimed] = {}
        self.due = asyncio.Event()
        """Set when something may have become due, or a place free."""

    async def send_due(self) -> None:
        """Begin to send all that is due and has a place; does not wait for any answer."""
        while (room := PLACES - len(self._tasks)) > 0:
            claimed = await outgoing.claim(
                self._pool, self._held(), limit=room, per_owner=PER_OWNER
            )
            for delivery in claimed:
                task = asyncio.create_task(self._deliver(delivery), name="webhook")
                self._tasks[task] = delivery
                task.add_done_callback(self._done)
            if not claimed:
                return

    async def close(self) -> None:
        """Cut off what is on its way; another sender takes it up a minute after its claim."""
        await end(list(self._tasks))

    def _held(self) -> Held:
        webhooks = Counter(claimed.webhook_id for claimed in self._tasks.values())
        owners = Counter(claimed.owner_sub for claimed in self._tasks.values())
        full = tuple(owner for owner, count in owners.items() if count >= PER_OWNER)
        return Held(by_webhook=webhooks, full_owners=full)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        self.due.set()

    async def _deliver(self, claimed: Claimed) -> None:
        try:
            attempt = await self._attempted(claimed)
            if attempt.error is None:
                await outgoing.succeeded(self._pool, claimed, attempt)
            else:
                await self._failed(claimed, attempt)
        except Exception as exc:
            # An edge: nothing was written, so the delivery is due again when its claim is over.
            if is_away(exc):
                log.warning("webhook_waits_for_database", error=type(exc).__name__)
            else:
                log.exception("webhook_failed", webhook=claimed.webhook_id)

    async def _attempted(self, claimed: Claimed) -> Attempt:
        row = secret_row(claimed.webhook_id)
        sealed = [claimed.secret, claimed.previous_secret]
        try:
            keys = [self._access.keyring.open(each, row=row) for each in sealed if each is not None]
        except (SealBrokenError, SourcesNotSetUpError):
            return Attempt(None, "its secret cannot be opened; rotate it")
        body = claimed.body.encode()
        headers = headers_of(
            body, message_id=claimed.message_id, sent_at=datetime.now(UTC), secret_keys=keys
        )
        headers |= {
            "Content-Type": "application/json",
            "User-Agent": f"Tabularium/{__version__}",
        }
        url = web.checked_url(claimed.url, field_name="url")
        try:
            answer = await web.post(self._http, url, body=body, headers=headers, total_s=ANSWER_S)
        except web.AnswerError as exc:
            return Attempt(None, str(exc))
        if 200 <= answer.status < 300:
            return Attempt(answer.status, None)
        return Attempt(answer.status, answer.complaint, answer.retry_after_s)

    async def _failed(self, claimed: Claimed, attempt: Attempt) -> None:
        gone = attempt.status == GONE
        wait_s = None if gone else next_wait_s(claimed.retries, attempt)
        given_up = await outgoing.failed(self._pool, claimed, attempt, wait_s=wait_s)
        log.info(
            "webhook_not_delivered",
            webhook=claimed.webhook_id,
            delivery=claimed.id,
            status=attempt.status,
            attempts=claimed.attempts,
        )
        if gone or given_up:
            await self._disable(
                claimed.webhook_id,
                DisabledReason.GONE if gone else DisabledReason.FAILING,
                attempt.error,
            )

    async def _disable(
        self, webhook_id: WebhookId, reason: DisabledReason, last_error: str | None
    ) -> None:
        if await outgoing.disable(
            self._pool, webhook_id, reason, mail=MAIL_INTENT, last_error=last_error
        ):
            log.warning("webhook_disabled", webhook=webhook_id, reason=reason.value)


@asynccontextmanager
async def sending(pool: RawPool, access: SourceAccess) -> AsyncIterator[Sender]:
    """A sender, whose messages are cut off at the end of the block."""
    async with web.guarded_session(access.terms.guard) as http:
        sender = Sender(pool, http, access)
        try:
            yield sender
        finally:
            await sender.close()
