"""What the owner of a webhook is mailed when it is disabled."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from services.ingest.webhooks.domain import DisabledReason

MAIL_INTENT = "webhook_disabled"
"""The kind of the intent in the outbox."""


class DisabledNotice(BaseModel):
    """The payload of an intent of the kind `MAIL_INTENT`."""

    model_config = ConfigDict(frozen=True)

    to: str
    webhook_id: int
    url: str
    reason: DisabledReason
    failing_since: datetime | None
    last_error: str | None
