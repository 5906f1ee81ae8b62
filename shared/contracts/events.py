"""What other services tell ingest, which sends it to webhooks."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from shared.contracts.auth import Sub
from shared.contracts.base import RequestModel, StorableText

Level = Literal["viewer", "editor", "owner"]


class TableEventType(StrEnum):
    """What happened to a table."""

    CREATED = "table.created"
    CHANGED = "table.changed"
    DELETED = "table.deleted"


class TableNews(RequestModel):
    """`POST /internal/events`: sent until it is taken, so it may come twice."""

    message_id: Annotated[str, Field(pattern=r"^msg_[0-9a-f]{32}$")]
    type: TableEventType
    timestamp: AwareDatetime
    table: StorableText
    seen_by: Mapping[Sub, Level]
    """Who might see the table at that moment, beside admins, and what each might do."""
    data: dict[str, Any]
    """The table as its owner sees it; `level` is the reader's own."""
