"""What is said of a feed's health, once: an event for webhooks, and a mail to its owner."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from services.ingest.feeds.answers import FeedAnswer
from shared.contracts.base import AnswerModel

MAIL_INTENT = "feed_mail"
"""The kind of the intent in the outbox."""


class FeedEvent(AnswerModel):
    """The body of a webhook's message about a feed."""

    type: Literal["feed.late", "feed.failing", "feed.recovered"]
    timestamp: datetime
    """When it was seen; a message that is tried again keeps it."""
    data: FeedAnswer


class FeedNotice(BaseModel):
    """The payload of an intent of the kind `MAIL_INTENT`."""

    model_config = ConfigDict(frozen=True)

    to: str
    """The owner's own address."""
    feed_id: int
    name: str
    table: str
    late: bool
    """Else it is well again."""
    every: str | None
    last_success_at: datetime | None
    at: datetime
