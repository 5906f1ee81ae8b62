"""Every statement on webhooks, as their owners see and change them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, delete, func, insert, select, text, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.connections.domain import Sealed
from services.ingest.webhooks.domain import (
    Delivery,
    DeliveryId,
    DeliveryState,
    DisabledReason,
    SealedSecrets,
    Subscription,
    Webhook,
    WebhookId,
)
from services.ingest.webhooks.events import ARE_SUBSCRIBED, TABLE_NEWS, EventType
from services.ingest.webhooks.tables import deliveries, webhooks
from shared.contracts.auth import Caller
from shared.contracts.events import TableNews

NEXT_ID = text("SELECT nextval(pg_get_serial_sequence('ingest.webhooks', 'id'))")
ANNOUNCE = text(
    "INSERT INTO ingest.outbox (kind, payload)"
    f" SELECT :kind, CAST(:payload AS jsonb) WHERE {ARE_SUBSCRIBED}"
)
FEED = text("SELECT id FROM ingest.feeds WHERE name = :name AND (:all OR owner_sub = :sub)")
BOTH_SIGN = text("interval '24 hours'")
"""How long the secret before a new one goes on signing."""

COLUMNS = (
    webhooks.c.id,
    webhooks.c.owner,
    webhooks.c.url,
    webhooks.c.events,
    webhooks.c.table_name,
    webhooks.c.feed_name,
    webhooks.c.failing_since,
    webhooks.c.disabled_at,
    webhooks.c.disabled_reason,
    webhooks.c.previous_until,
    webhooks.c.created_at,
)
DELIVERY_COLUMNS = (
    deliveries.c.id,
    deliveries.c.message_id,
    deliveries.c.type,
    deliveries.c.state,
    deliveries.c.attempts,
    deliveries.c.next_at,
    deliveries.c.last_attempt_at,
    deliveries.c.last_status,
    deliveries.c.last_error,
    deliveries.c.created_at,
)


async def next_id(connection: AsyncConnection) -> WebhookId:
    """The id of a webhook that is about to be made."""
    return WebhookId((await connection.execute(NEXT_ID)).scalar_one())


async def count(connection: AsyncConnection, owner: Caller) -> int:
    """How many webhooks the caller has."""
    statement = select(func.count()).where(webhooks.c.owner_sub == owner.sub)
    return int((await connection.execute(statement)).scalar_one())


async def add(
    connection: AsyncConnection,
    webhook_id: WebhookId,
    subscription: Subscription,
    *,
    owner: Caller,
    secret: bytes,
) -> Webhook:
    """Keep a new webhook; `secret` is sealed."""
    values = {
        "id": webhook_id,
        "owner_sub": owner.sub,
        "owner": owner.model_dump(mode="json"),
        "secret": secret,
        **_values(subscription),
    }
    statement = insert(webhooks).values(values).returning(*COLUMNS)
    return _webhook((await connection.execute(statement)).mappings().one())


async def one(
    connection: AsyncConnection, webhook_id: int, *, viewer: Caller, lock: bool = False
) -> Webhook | None:
    """The webhook, if this caller may see it; with `lock`, until the end of the transaction."""
    statement = select(*COLUMNS).where(webhooks.c.id == webhook_id, _seen_by(viewer))
    if lock:
        statement = statement.with_for_update()
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else _webhook(row)


async def page(
    connection: AsyncConnection, *, viewer: Caller, after: int, limit: int
) -> list[Webhook]:
    """Webhooks that this caller may see, oldest first, from behind the id `after`."""
    statement = (
        select(*COLUMNS)
        .where(webhooks.c.id > after, _seen_by(viewer))
        .order_by(webhooks.c.id)
        .limit(limit)
    )
    return [_webhook(row) for row in (await connection.execute(statement)).mappings()]


async def change(
    connection: AsyncConnection, webhook_id: WebhookId, subscription: Subscription
) -> Webhook:
    """What it is called for from now on."""
    return await _changed(connection, webhook_id, _values(subscription))


async def disable(
    connection: AsyncConnection, webhook_id: WebhookId, reason: DisabledReason
) -> Webhook:
    """Send nothing to it any more; what waited for it has failed."""
    values = {"disabled_at": func.now(), "disabled_reason": reason.value}
    webhook = await _changed(connection, webhook_id, values)
    await connection.execute(
        update(deliveries)
        .where(
            deliveries.c.webhook_id == webhook_id,
            deliveries.c.state == DeliveryState.PENDING.value,
        )
        .values(state=DeliveryState.FAILED.value, last_error="the webhook was disabled")
    )
    return webhook


async def enable(connection: AsyncConnection, webhook_id: WebhookId, *, owner: Caller) -> Webhook:
    """Send to it again, by the rights of `owner` as they are now."""
    values: dict[str, Any] = {
        "disabled_at": None,
        "disabled_reason": None,
        "failing_since": None,
        "owner": owner.model_dump(mode="json"),
    }
    return await _changed(connection, webhook_id, values)


async def remove(connection: AsyncConnection, webhook_id: int, *, viewer: Caller) -> str | None:
    """Forget a webhook and its deliveries; its URL, or None when the caller may not see it."""
    statement = (
        delete(webhooks)
        .where(webhooks.c.id == webhook_id, _seen_by(viewer))
        .returning(webhooks.c.url)
    )
    url: str | None = (await connection.execute(statement)).scalar_one_or_none()
    return url


async def rotate(connection: AsyncConnection, webhook_id: WebhookId, secret: bytes) -> Webhook:
    """Sign with a new secret (sealed), and for 24 hours with the one before it too."""
    values = {
        "secret": secret,
        "previous_secret": webhooks.c.secret,
        "previous_until": func.now() + BOTH_SIGN,
    }
    return await _changed(connection, webhook_id, values)


async def announce(connection: AsyncConnection, news: TableNews) -> None:
    """Leave what a peer tells of a table to be published, if anybody subscribes."""
    await connection.execute(ANNOUNCE, {"kind": TABLE_NEWS, "payload": news.model_dump_json()})


async def deliver(
    connection: AsyncConnection, webhook_id: WebhookId, *, message_id: str, type_: str, body: str
) -> Delivery:
    """A new message to one webhook, due now."""
    statement = (
        insert(deliveries)
        .values(webhook_id=webhook_id, message_id=message_id, type=type_, body=body)
        .returning(*DELIVERY_COLUMNS)
    )
    return _delivery((await connection.execute(statement)).mappings().one())


async def deliveries_of(
    connection: AsyncConnection, webhook_id: WebhookId, *, before: int | None, limit: int
) -> list[Delivery]:
    """What was and is sent to a webhook, newest first, below the id `before`."""
    conditions = [deliveries.c.webhook_id == webhook_id]
    if before is not None:
        conditions.append(deliveries.c.id < before)
    statement = (
        select(*DELIVERY_COLUMNS).where(*conditions).order_by(deliveries.c.id.desc()).limit(limit)
    )
    return [_delivery(row) for row in (await connection.execute(statement)).mappings()]


async def deliver_again(
    connection: AsyncConnection, webhook_id: WebhookId, delivery_id: int
) -> Delivery | None:
    """Send a message again now, with all retries before it; None where there is none."""
    statement = (
        update(deliveries)
        .where(deliveries.c.id == delivery_id, deliveries.c.webhook_id == webhook_id)
        .values(state=DeliveryState.PENDING.value, retries=0, next_at=func.now())
        .returning(*DELIVERY_COLUMNS)
    )
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else _delivery(row)


async def sealed(connection: AsyncConnection) -> list[SealedSecrets]:
    """Every webhook's secrets, its row locked until the end of the transaction."""
    statement = (
        select(webhooks.c.id, webhooks.c.secret, webhooks.c.previous_secret)
        .order_by(webhooks.c.id)
        .with_for_update()
    )
    rows = (await connection.execute(statement)).all()
    return [
        SealedSecrets(
            WebhookId(row.id),
            tuple(
                Sealed(row.id, secret)
                for secret in (row.secret, row.previous_secret)
                if secret is not None
            ),
        )
        for row in rows
    ]


async def reseal(
    connection: AsyncConnection, webhook_id: WebhookId, secrets: Sequence[Sealed]
) -> None:
    """Replace a webhook's sealed secrets: the one that signs, and the one before it if any."""
    values = dict(
        zip(("secret", "previous_secret"), (each.password for each in secrets), strict=False)
    )
    await connection.execute(update(webhooks).where(webhooks.c.id == webhook_id).values(values))


async def _changed(
    connection: AsyncConnection, webhook_id: WebhookId, values: Mapping[str, Any]
) -> Webhook:
    statement = (
        update(webhooks).where(webhooks.c.id == webhook_id).values(values).returning(*COLUMNS)
    )
    return _webhook((await connection.execute(statement)).mappings().one())


async def sees_feed(connection: AsyncConnection, name: str, viewer: Caller) -> bool:
    """Whether there is a feed of that name that the caller may see."""
    found = await connection.execute(
        FEED, {"name": name, "all": viewer.is_admin, "sub": viewer.sub}
    )
    return found.scalar() is not None


def _seen_by(viewer: Caller) -> ColumnElement[bool]:
    return true() if viewer.is_admin else webhooks.c.owner_sub == viewer.sub


def _values(subscription: Subscription) -> dict[str, Any]:
    return {
        "url": subscription.url,
        "events": [event.value for event in subscription.events],
        "table_name": subscription.table,
        "feed_name": subscription.feed,
    }


def _webhook(row: RowMapping) -> Webhook:
    reason = row["disabled_reason"]
    return Webhook(
        id=WebhookId(row["id"]),
        owner=Caller.model_validate(row["owner"]),
        subscription=Subscription(
            url=row["url"],
            events=tuple(EventType(event) for event in row["events"]),
            table=row["table_name"],
            feed=row["feed_name"],
        ),
        failing_since=row["failing_since"],
        disabled_at=row["disabled_at"],
        disabled_reason=None if reason is None else DisabledReason(reason),
        previous_until=row["previous_until"],
        created_at=row["created_at"],
    )


def _delivery(row: RowMapping) -> Delivery:
    state = DeliveryState(row["state"])
    return Delivery(
        id=DeliveryId(row["id"]),
        message_id=row["message_id"],
        type=row["type"],
        state=state,
        attempts=row["attempts"],
        next_at=row["next_at"] if state is DeliveryState.PENDING else None,
        last_attempt_at=row["last_attempt_at"],
        last_status=row["last_status"],
        last_error=row["last_error"],
        created_at=row["created_at"],
    )
