"""The events that webhooks subscribe to, by name; a new one is a line here.

An event is an intent in the outbox, written by the transaction that makes it true. `work.publish`
turns it into one delivery for each webhook that wants it.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final, LiteralString, cast

from pydantic import BaseModel, ConfigDict

INTENT: Final = "event"
"""The kind of the intent."""

TABLE_NEWS: Final = "table_news"
"""The kind of the intent for what records tells of tables."""

TEST: Final = "webhook.test"
"""The type of the message of `POST /api/webhooks/{id}/test`, which no one subscribes to."""


class EventType(StrEnum):
    """What a webhook may be told of."""

    TABLE_CREATED = "table.created"
    TABLE_CHANGED = "table.changed"
    TABLE_DELETED = "table.deleted"
    IMPORT_SUCCEEDED = "import.succeeded"
    IMPORT_FAILED = "import.failed"
    IMPORT_CANCELLED = "import.cancelled"
    IMPORT_UNDONE = "import.undone"
    FEED_LATE = "feed.late"
    FEED_FAILING = "feed.failing"
    FEED_RECOVERED = "feed.recovered"


class Event(BaseModel):
    """The payload of an intent of the kind `INTENT`."""

    model_config = ConfigDict(frozen=True)

    message_id: str
    """The header `webhook-id` of every delivery."""
    type: EventType
    timestamp: datetime
    table: str | None = None
    """The table that it is about, for webhooks that are narrowed to one."""
    subject: dict[str, Any]
    """What it is about: a row of `imports` at that moment; or a feed as it is answered, and its
    owner."""

    @property
    def feed(self) -> str | None:
        """The feed that it is about, or whose import it is about."""
        if self.type.value.startswith("feed."):
            return cast("str", self.subject["feed"]["name"])
        return self.subject.get("feed_name")


# Literals, for the statements that end runs. Nothing is written while nobody is to be called.
ARE_SUBSCRIBED: Final[LiteralString] = (
    "EXISTS (SELECT 1 FROM ingest.webhooks WHERE disabled_at IS NULL)"
)
NEW_MESSAGE_ID: Final[LiteralString] = "'msg_' || replace(gen_random_uuid()::text, '-', '')"
