"""Use cases of callers: webhooks that they register, and what was sent to them."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from services.ingest.books import BOOKS
from services.ingest.clients import RecordsClient
from services.ingest.connections.access import SourceAccess
from services.ingest.connections.guard import SourceRefusedError
from services.ingest.connections.web import UrlRefusedError, checked_url
from services.ingest.webhooks import repository
from services.ingest.webhooks.domain import (
    Delivery,
    DisabledReason,
    Subscription,
    Webhook,
    secret_row,
)
from services.ingest.webhooks.errors import TooManyWebhooksError, WebhookDisabledError
from services.ingest.webhooks.events import TEST
from services.ingest.webhooks.signing import new_secret
from shared.contracts.auth import Caller
from shared.contracts.events import TableNews
from shared.errors import InvalidInputError, NotFoundError
from shared.http.paging import Slice, cut
from shared.store.transaction import Transaction, transaction

PER_OWNER = 50


@dataclass(frozen=True, slots=True)
class Webhooks:
    """The webhooks that callers register. Each sees one's own, an admin all."""

    engine: AsyncEngine
    access: SourceAccess
    records: RecordsClient

    async def add(self, owner: Caller, subscription: Subscription) -> tuple[Webhook, str]:
        """Register a webhook; with its secret, which is not shown again.

        Raises InvalidInputError (UrlRefusedError among them), TooManyWebhooksError,
        SourcesNotSetUpError.
        """
        await self._check(owner, subscription)
        keyring, secret = self.access.keyring, new_secret()
        async with transaction(self.engine, BOOKS) as tx:
            if await repository.count(tx.connection, owner) >= PER_OWNER:
                raise TooManyWebhooksError(f"you have {PER_OWNER} webhooks already")
            webhook_id = await repository.next_id(tx.connection)
            webhook = await repository.add(
                tx.connection,
                webhook_id,
                subscription,
                owner=owner,
                secret=keyring.seal(secret, row=secret_row(webhook_id)),
            )
            await _record(tx, owner, "create", webhook)
            await tx.seal()
        return webhook, secret

    async def page(self, viewer: Caller, *, after: int, limit: int) -> Slice[Webhook]:
        """Webhooks that the caller may see, from behind the id `after`."""
        async with self.engine.connect() as connection:
            rows = await repository.page(connection, viewer=viewer, after=after, limit=limit + 1)
        return cut(rows, limit=limit, key=lambda webhook: (str(webhook.id),))

    async def look(self, viewer: Caller, webhook_id: int) -> Webhook:
        """The webhook; raises NotFoundError when the caller may not see it."""
        async with self.engine.connect() as connection:
            webhook = await repository.one(connection, webhook_id, viewer=viewer)
        if webhook is None:
            raise _no_webhook(webhook_id)
        return webhook

    async def change(
        self,
        caller: Caller,
        webhook_id: int,
        changes: Mapping[str, Any],
        *,
        enabled: bool | None = None,
    ) -> Webhook:
        """Change fields of its subscription, and whether anything is sent; raises as `add`."""
        before = await self.look(caller, webhook_id)
        subscription = replace(before.subscription, **changes)
        if changes:
            await self._check(before.owner, subscription)
        async with transaction(self.engine, BOOKS) as tx:
            webhook = await _locked(tx, webhook_id, caller)
            if changes:
                wanted = replace(webhook.subscription, **changes)
                webhook = await repository.change(tx.connection, webhook.id, wanted)
            if enabled is False and webhook.disabled_at is None:
                webhook = await repository.disable(
                    tx.connection, webhook.id, DisabledReason.BY_HAND
                )
            if enabled:
                owner = caller if caller.sub == webhook.owner.sub else webhook.owner
                webhook = await repository.enable(tx.connection, webhook.id, owner=owner)
            await _record(tx, caller, "change", webhook)
        return webhook

    async def remove(self, caller: Caller, webhook_id: int) -> None:
        """Delete a webhook with all that was to be sent to it; raises NotFoundError."""
        async with transaction(self.engine, BOOKS) as tx:
            if not await repository.remove(tx.connection, webhook_id, viewer=caller):
                raise _no_webhook(webhook_id)
            await tx.record(caller, "webhook.delete", f"webhook:{webhook_id}")

    async def rotate(self, caller: Caller, webhook_id: int) -> tuple[Webhook, str]:
        """A new secret; the one before signs too for 24 hours. Raises NotFoundError."""
        keyring, secret = self.access.keyring, new_secret()
        async with transaction(self.engine, BOOKS) as tx:
            webhook = await _locked(tx, webhook_id, caller)
            sealed = keyring.seal(secret, row=secret_row(webhook.id))
            webhook = await repository.rotate(tx.connection, webhook.id, sealed)
            await _record(tx, caller, "rotate", webhook)
            await tx.seal()
        return webhook, secret

    async def test(self, caller: Caller, webhook_id: int) -> Delivery:
        """Send a message that says nothing; raises NotFoundError, WebhookDisabledError."""
        async with transaction(self.engine, BOOKS) as tx:
            webhook = _enabled(await _locked(tx, webhook_id, caller))
            message = {
                "type": TEST,
                "timestamp": datetime.now(UTC).isoformat(),
                "data": {"webhook": webhook.id},
            }
            delivery = await repository.deliver(
                tx.connection,
                webhook.id,
                message_id=f"msg_{uuid.uuid4().hex}",
                type_=TEST,
                body=json.dumps(message),
            )
            await _record(tx, caller, "test", webhook)
            await tx.seal()
        return delivery

    async def deliveries(
        self, viewer: Caller, webhook_id: int, *, before: int | None, limit: int
    ) -> Slice[Delivery]:
        """What was and is sent to a webhook, newest first; raises NotFoundError."""
        webhook = await self.look(viewer, webhook_id)
        async with self.engine.connect() as connection:
            rows = await repository.deliveries_of(
                connection, webhook.id, before=before, limit=limit + 1
            )
        return cut(rows, limit=limit, key=lambda delivery: (str(delivery.id),))

    async def redeliver(self, caller: Caller, webhook_id: int, delivery_id: int) -> Delivery:
        """Send a message again, with its id; raises NotFoundError, WebhookDisabledError."""
        async with transaction(self.engine, BOOKS) as tx:
            webhook = _enabled(await _locked(tx, webhook_id, caller))
            delivery = await repository.deliver_again(tx.connection, webhook.id, delivery_id)
            if delivery is None:
                raise NotFoundError(f"there is no delivery {delivery_id} of this webhook")
            await _record(tx, caller, "redeliver", webhook)
            await tx.seal()
        return delivery

    async def announce(self, news: TableNews) -> None:
        """Take what a peer says has happened; a second time changes nothing."""
        async with self.engine.begin() as connection:
            await repository.announce(connection, news)

    async def _check(self, owner: Caller, subscription: Subscription) -> None:
        url = checked_url(subscription.url, field_name="url")
        assert url.host is not None
        assert url.port is not None
        try:
            await self.access.terms.guard.checked(url.host, url.port)
        except SourceRefusedError as exc:
            (error,) = exc.errors
            raise UrlRefusedError.of("url", error.code, error.message) from exc
        table = subscription.table
        if table is not None and not await self.records.sees(table, owner):
            raise InvalidInputError.of(
                "table", "no_such_table", f"there is no table {table} that you may see"
            )
        feed = subscription.feed
        if feed is None:
            return
        async with self.engine.connect() as connection:
            if not await repository.sees_feed(connection, feed, owner):
                raise InvalidInputError.of(
                    "feed", "no_such_feed", f"there is no feed {feed} that you may see"
                )


async def _locked(tx: Transaction, webhook_id: int, caller: Caller) -> Webhook:
    webhook = await repository.one(tx.connection, webhook_id, viewer=caller, lock=True)
    if webhook is None:
        raise _no_webhook(webhook_id)
    return webhook


async def _record(tx: Transaction, caller: Caller, verb: str, webhook: Webhook) -> None:
    await tx.record(caller, f"webhook.{verb}", f"webhook:{webhook.id}")


def _enabled(webhook: Webhook) -> Webhook:
    if webhook.disabled_at is not None:
        raise WebhookDisabledError("the webhook is disabled; enable it first")
    return webhook


def _no_webhook(webhook_id: int) -> NotFoundError:
    return NotFoundError(f"there is no webhook {webhook_id}")
