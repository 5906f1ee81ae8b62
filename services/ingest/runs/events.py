"""The events of imports, written by the transaction that makes them true."""

from typing import Final, LiteralString

from services.ingest.domain.run import ImportId
from services.ingest.webhooks.events import (
    ARE_SUBSCRIBED,
    INTENT,
    NEW_MESSAGE_ID,
    EventType,
)
from shared.store.engine import RawConnection

# What an import was at that moment is kept with the event: by the time it is sent, the import may
# have been tried again. `ended` is a whole row of `ingest.imports`.
_EVENT: Final[LiteralString] = f"""INSERT INTO ingest.outbox (kind, payload)
    SELECT '{INTENT}', jsonb_build_object('message_id', {NEW_MESSAGE_ID},
        'timestamp', clock_timestamp(), 'table', ended.table_name, 'subject', to_jsonb(ended),
        'type', """

OF_ENDING: Final[LiteralString] = f"{_EVENT}'import.' || ended.state) FROM ended"
"""For the statement that makes a final state true."""

NOTE: Final[LiteralString] = f"""{_EVENT}$2::text)
    FROM ingest.imports ended WHERE ended.id = $1 AND {ARE_SUBSCRIBED}"""


async def note(connection: RawConnection, import_id: ImportId, event: EventType) -> None:
    """Write an event about an import in the caller's transaction, if anybody subscribes."""
    await connection.execute(NOTE, import_id, event.value)
