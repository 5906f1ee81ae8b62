"""The bodies of what is sent to webhooks, by event; for the OpenAPI document."""

from collections.abc import Mapping

from services.ingest.answers import ImportEvent
from services.ingest.feeds.notices import FeedEvent
from services.ingest.webhooks.events import EventType
from shared.contracts.base import AnswerModel

MESSAGES: Mapping[str, type[AnswerModel]] = {
    EventType.IMPORT_SUCCEEDED.value: ImportEvent,
    EventType.IMPORT_FAILED.value: ImportEvent,
    EventType.IMPORT_CANCELLED.value: ImportEvent,
    EventType.IMPORT_UNDONE.value: ImportEvent,
    EventType.FEED_LATE.value: FeedEvent,
    EventType.FEED_FAILING.value: FeedEvent,
    EventType.FEED_RECOVERED.value: FeedEvent,
}
