"""What a webhook and a delivery are, and when a delivery is tried again."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from services.ingest.connections.domain import Sealed
from services.ingest.webhooks.events import EventType
from shared.contracts.auth import Caller

WebhookId = NewType("WebhookId", int)
DeliveryId = NewType("DeliveryId", int)

RETRIES_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""How long after each failed attempt the next one follows; after the last one there is none.

Standard Webhooks, "Deliverability and reliability".
"""
JITTER = 0.1
"""A retry comes up to so much later, so that a receiver that is back is not run down."""
LONGEST_WAIT_S = RETRIES_S[-1]


class DeliveryState(StrEnum):
    """Where one message to one webhook is."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class DisabledReason(StrEnum):
    """Why nothing is sent to a webhook any more."""

    BY_HAND = "by_hand"
    GONE = "gone"
    """It answered 410."""
    FAILING = "failing"
    """It failed for five days."""
    OWNER = "owner"
    """Whoever made it may do nothing any more."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a webhook is called for."""

    url: str
    events: tuple[EventType, ...]
    table: str | None
    """Events about this table alone; None for all."""
    feed: str | None = None
    """Events about this feed and its imports alone; None for all."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A receiver, as its row says it; without its secrets."""

    id: WebhookId
    owner: Caller
    """By whose rights it is told of things, as of when it was made or enabled."""
    subscription: Subscription
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_reason: DisabledReason | None
    previous_until: datetime | None
    """Until when the secret before this one signs too."""
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one webhook."""

    id: DeliveryId
    message_id: str
    type: str
    state: DeliveryState
    attempts: int
    next_at: datetime | None
    """When it is tried next; None in a final state."""
    last_attempt_at: datetime | None
    last_status: int | None
    last_error: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that one sender has; every write of this attempt names `attempts`."""

    id: DeliveryId
    webhook_id: WebhookId
    owner_sub: str
    url: str
    message_id: str
    body: str
    attempts: int
    retries: int
    """How many of `RETRIES_S` are used up."""
    secret: bytes
    previous_secret: bytes | None
    """Both sealed; the older one while it still signs."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a sender has in hand: deliveries by webhook, and owners with as many as they may."""

    by_webhook: Mapping[WebhookId, int]
    full_owners: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SealedSecrets:
    """A webhook's secrets: the one that signs, and the one before it if it is kept."""

    id: WebhookId
    secrets: tuple[Sealed, ...]


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one attempt. `status` is None where no answer came."""

    status: int | None
    error: str | None
    """Why it failed, in words; None for a success."""
    retry_after_s: float | None = None
    """How long the receiver asked to be left alone."""


def secret_row(webhook_id: WebhookId) -> str:
    """What a webhook's secrets are sealed as."""
    return f"ingest.webhooks:{webhook_id}"


def next_wait_s(retries: int, attempt: Attempt) -> float | None:
    """How long after a failed attempt the next one follows; None: there is none.

    Never sooner than the receiver asked for with `Retry-After`, as far as a day.
    """
    if retries >= len(RETRIES_S):
        return None
    planned_s = RETRIES_S[retries] * (1 + JITTER * secrets.randbelow(1_000) / 1_000)
    return max(planned_s, min(attempt.retry_after_s or 0, LONGEST_WAIT_S))
