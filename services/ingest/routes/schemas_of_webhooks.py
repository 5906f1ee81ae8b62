"""Wire models of webhooks."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field, field_validator
from pydantic_core import PydanticCustomError

from services.ingest.webhooks.domain import (
    DeliveryState,
    DisabledReason,
    Subscription,
    Webhook,
)
from services.ingest.webhooks.events import EventType
from shared.contracts.base import AnswerModel, RequestModel, StorableText

Url = Annotated[
    StorableText,
    Field(
        min_length=1,
        max_length=2048,
        description="Where messages are sent by POST. Redirects are not followed.",
    ),
]


def _once_each(events: tuple[EventType, ...]) -> tuple[EventType, ...]:
    if not events:
        raise PydanticCustomError("missing", "name one event at least")
    return tuple(dict.fromkeys(events))


Events = Annotated[
    tuple[EventType, ...],
    AfterValidator(_once_each),
    Field(json_schema_extra={"minItems": 1}),
]
TableName = Annotated[
    StorableText | None,
    Field(min_length=1, description="Only what concerns this table; null for all."),
]


FeedName = Annotated[
    StorableText | None,
    Field(min_length=1, description="Only what concerns this feed and its imports; null for all."),
]


class WebhookToCreate(RequestModel):
    """`POST /api/webhooks`."""

    url: Url
    events: Events
    table: TableName = None
    feed: FeedName = None

    def subscription(self) -> Subscription:
        """What it is to be called for."""
        return Subscription(url=self.url, events=self.events, table=self.table, feed=self.feed)


class WebhookChange(RequestModel):
    """`PATCH /api/webhooks/{id}`: what is sent is changed."""

    url: Url | None = None
    events: Events | None = None
    table: TableName = None
    feed: FeedName = None
    enabled: bool | None = None

    @field_validator("url", "events", "enabled")
    @classmethod
    def _not_null(cls, value: object) -> object:
        if value is None:
            raise PydanticCustomError("null", "leave it out, or send a value")
        return value

    def changes(self) -> dict[str, Any]:
        """The fields of the subscription that were sent."""
        sent = self.model_fields_set - {"enabled"}
        return {name: getattr(self, name) for name in sent}


class Disabled(AnswerModel):
    """Since when and why nothing is sent any more."""

    at: datetime
    reason: DisabledReason
    """`by_hand`; `gone`: it answered 410; `failing`: it failed for five days; `owner`: whoever
    registered it may do nothing any more."""


class WebhookAnswer(AnswerModel):
    """A webhook, without its secret."""

    id: int
    url: str
    events: list[EventType]
    table: str | None
    feed: str | None
    owner: str
    failing_since: datetime | None
    """Since when no message got through."""
    disabled: Disabled | None
    both_secrets_until: datetime | None
    """After a rotation: until when the secret before signs too."""
    created_at: datetime


class WebhookCreated(WebhookAnswer):
    """A webhook with its secret, which is not shown again."""

    secret: str
    """`whsec_…`, as libraries of Standard Webhooks take it."""


class DeliveryAnswer(AnswerModel):
    """One message to one webhook."""

    id: int
    message_id: str
    """The header `webhook-id`, the same on every try."""
    type: str
    state: DeliveryState
    attempts: int
    next_at: datetime | None
    """When it is tried next; null in a final state."""
    last_attempt_at: datetime | None
    last_status: int | None
    """The receiver's last answer; null where none came."""
    last_error: str | None
    created_at: datetime


def webhook_answer(webhook: Webhook) -> WebhookAnswer:
    """A webhook as its owner sees it."""
    return WebhookAnswer.of(webhook, **_fields(webhook))


def webhook_created(webhook: Webhook, secret: str) -> WebhookCreated:
    """The same, once, with its new secret."""
    return WebhookCreated.of(webhook, **_fields(webhook), secret=secret)


def _fields(webhook: Webhook) -> dict[str, object]:
    subscription = webhook.subscription
    disabled = None
    if webhook.disabled_at is not None and webhook.disabled_reason is not None:
        disabled = Disabled(at=webhook.disabled_at, reason=webhook.disabled_reason)
    return {
        "url": subscription.url,
        "events": list(subscription.events),
        "table": subscription.table,
        "feed": subscription.feed,
        "owner": webhook.owner.label,
        "disabled": disabled,
        "both_secrets_until": webhook.previous_until,
    }
