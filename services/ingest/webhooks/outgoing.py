"""Deliveries as workers write them: made for an event, claimed, ended or put off.

Each function is one statement by asyncpg. A claim moves the next attempt into the future, so that
no transaction is open during the call and a sender that dies leaves the delivery to another one;
what an attempt came to is written only while it is the newest.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, LiteralString

from services.ingest.webhooks.domain import (
    Attempt,
    Claimed,
    DeliveryId,
    DisabledReason,
    Held,
    WebhookId,
)
from services.ingest.webhooks.events import Event
from shared.contracts.auth import Caller
from shared.store.engine import RawPool

CLAIM_S = 60
PER_WEBHOOK = 4
"""How many messages go to one webhook at once, of one process."""
GIVEN_UP_AFTER_DAYS = 5
BATCH = 1000

SUBSCRIBED: Final[LiteralString] = """
SELECT id, owner FROM ingest.webhooks
WHERE disabled_at IS NULL AND $1 = ANY (events) AND (table_name IS NULL OR table_name = $2)
    AND (feed_name IS NULL OR feed_name = $3)
ORDER BY id"""

ADD: Final[LiteralString] = """
INSERT INTO ingest.webhook_deliveries (webhook_id, message_id, type, body)
SELECT w.id, $2, $3, $4 FROM ingest.webhooks w WHERE w.id = ANY ($1::bigint[])
ON CONFLICT DO NOTHING"""

# Those who have least in hand come first, and no owner gets all places: a receiver that takes
# its time holds up nobody else's.
CLAIM: Final[LiteralString] = """
WITH due AS (
    SELECT d.id, d.next_at,
        row_number() OVER (PARTITION BY w.owner_sub ORDER BY d.next_at, d.id) AS turn
    FROM ingest.webhooks w
    LEFT JOIN unnest($1::bigint[], $2::int[]) AS held (webhook_id, count) ON held.webhook_id = w.id
    CROSS JOIN LATERAL (
        SELECT p.id, p.next_at FROM ingest.webhook_deliveries p
        WHERE p.webhook_id = w.id AND p.state = 'pending' AND p.next_at <= clock_timestamp()
        ORDER BY p.next_at LIMIT greatest(0, $3 - coalesce(held.count, 0))
    ) d
    WHERE w.disabled_at IS NULL AND w.owner_sub <> ALL ($4::text[])
), picked AS (
    SELECT d.id FROM ingest.webhook_deliveries d JOIN due USING (id)
    WHERE due.turn <= $5 AND d.state = 'pending' AND d.next_at <= clock_timestamp()
    ORDER BY due.turn, due.next_at LIMIT $6 FOR UPDATE OF d SKIP LOCKED
)
UPDATE ingest.webhook_deliveries d SET
    attempts = d.attempts + 1, last_attempt_at = clock_timestamp(),
    next_at = clock_timestamp() + make_interval(secs => $7)
FROM picked, ingest.webhooks w WHERE d.id = picked.id AND w.id = d.webhook_id
RETURNING d.id, d.webhook_id, w.owner_sub, w.url, d.message_id, d.body, d.attempts, d.retries,
    w.secret,
    CASE WHEN w.previous_until > clock_timestamp() THEN w.previous_secret END AS previous"""

SUCCEEDED: Final[LiteralString] = """
WITH sent AS (
    UPDATE ingest.webhook_deliveries
    SET state = 'succeeded', last_status = $3, last_error = NULL
    WHERE id = $1 AND attempts = $2 AND state = 'pending' RETURNING webhook_id
)
UPDATE ingest.webhooks SET failing_since = NULL
FROM sent WHERE id = sent.webhook_id AND failing_since IS NOT NULL"""

FAILED: Final[LiteralString] = """
WITH failed AS (
    UPDATE ingest.webhook_deliveries
    SET state = CASE WHEN $5::float8 IS NULL THEN 'failed' ELSE state END, retries = retries + 1,
        next_at = last_attempt_at + make_interval(secs => coalesce($5, 0)),
        last_status = $3, last_error = $4
    WHERE id = $1 AND attempts = $2 AND state = 'pending' RETURNING webhook_id
)
UPDATE ingest.webhooks SET failing_since = coalesce(failing_since, clock_timestamp())
FROM failed WHERE id = failed.webhook_id AND disabled_at IS NULL
RETURNING failing_since < clock_timestamp() - make_interval(days => $6) AS given_up"""

# What waits for it has failed; its owner is mailed by the same commit, where they have an address.
DISABLE: Final[LiteralString] = """
WITH disabled AS (
    UPDATE ingest.webhooks SET disabled_at = clock_timestamp(), disabled_reason = $2
    WHERE id = $1 AND disabled_at IS NULL RETURNING id, url, owner, failing_since
), dropped AS (
    UPDATE ingest.webhook_deliveries d SET state = 'failed',
        last_error = coalesce(last_error, 'the webhook was disabled')
    FROM disabled WHERE d.webhook_id = disabled.id AND d.state = 'pending'
), mailed AS (
    INSERT INTO ingest.outbox (kind, payload)
    SELECT $3, jsonb_build_object('to', owner->>'email', 'webhook_id', id, 'url', url,
        'reason', $2::text, 'failing_since', failing_since, 'last_error', $4::text)
    FROM disabled WHERE owner->>'email' IS NOT NULL
)
SELECT true FROM disabled"""

FORGET: Final[LiteralString] = """
DELETE FROM ingest.webhook_deliveries WHERE id IN (
    SELECT id FROM ingest.webhook_deliveries
    WHERE created_at < now() - make_interval(days => $1) AND state <> 'pending'
    ORDER BY id LIMIT $2)"""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A webhook that an event may be for, and by whose rights."""

    id: WebhookId
    owner: Caller


async def subscribers(pool: RawPool, event: Event) -> list[Subscriber]:
    """The webhooks that subscribe to such an event, whatever their owners may see."""
    rows = await pool.fetch(SUBSCRIBED, event.type.value, event.table, event.feed)
    return [
        Subscriber(WebhookId(row["id"]), Caller.model_validate_json(row["owner"])) for row in rows
    ]


async def add(
    pool: RawPool, webhook_ids: Collection[WebhookId], *, message_id: str, type_: str, body: str
) -> None:
    """One delivery for each webhook; those that have the message already keep it as it is."""
    await pool.execute(ADD, list(webhook_ids), message_id, type_, body)


async def claim(pool: RawPool, held: Held, *, limit: int, per_owner: int) -> list[Claimed]:
    """Take up to `limit` deliveries that are due."""
    rows = await pool.fetch(
        CLAIM,
        list(held.by_webhook),
        list(held.by_webhook.values()),
        PER_WEBHOOK,
        list(held.full_owners),
        per_owner,
        limit,
        CLAIM_S,
    )
    return [
        Claimed(
            id=DeliveryId(row["id"]),
            webhook_id=WebhookId(row["webhook_id"]),
            owner_sub=row["owner_sub"],
            url=row["url"],
            message_id=row["message_id"],
            body=row["body"],
            attempts=row["attempts"],
            retries=row["retries"],
            secret=row["secret"],
            previous_secret=row["previous"],
        )
        for row in rows
    ]


async def succeeded(pool: RawPool, claimed: Claimed, attempt: Attempt) -> None:
    """The receiver took it."""
    await pool.execute(SUCCEEDED, claimed.id, claimed.attempts, attempt.status)


async def failed(
    pool: RawPool, claimed: Claimed, attempt: Attempt, *, wait_s: float | None
) -> bool:
    """Try again after `wait_s`, or no more; whether the webhook has failed for five days."""
    given_up = await pool.fetchval(
        FAILED,
        claimed.id,
        claimed.attempts,
        attempt.status,
        attempt.error,
        wait_s,
        GIVEN_UP_AFTER_DAYS,
    )
    return bool(given_up)


async def disable(
    pool: RawPool,
    webhook_id: WebhookId,
    reason: DisabledReason,
    *,
    mail: str,
    last_error: str | None,
) -> bool:
    """Send nothing to a webhook any more; False when it was disabled already.

    `mail` is the kind of the intent by which its owner is mailed.
    """
    return bool(await pool.fetchval(DISABLE, webhook_id, reason.value, mail, last_error))


async def forget_old(pool: RawPool, *, days: int) -> int:
    """Delete deliveries of which nothing more comes, at most 1,000; returns how many."""
    done: str = await pool.execute(FORGET, days, BATCH)
    return int(done.rsplit(maxsplit=1)[-1])
