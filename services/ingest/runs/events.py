"""The events of imports, written by the transaction that makes them true.

What an import was at that moment is kept with the event: by the time it is sent, the import may
have been tried again.
"""

from typing import Final, LiteralString

from services.ingest.domain.run import ImportId
from services.ingest.webhooks.events import (
    ARE_SUBSCRIBED,
    INTENT,
    NEW_MESSAGE_ID,
    EventType,
)
from shared.store.engine import RawConnection

LINEAGE: Final = "lineage"
"""The kind of the intent for OpenLineage's receiver."""


def _intents(row: LiteralString, *, type_: LiteralString, more: LiteralString) -> LiteralString:
    """Intents about `row`, a whole row of `ingest.imports`, for each follower's kind."""
    return f"""INSERT INTO ingest.outbox (kind, payload)
    SELECT follower.kind, jsonb_build_object('message_id', {NEW_MESSAGE_ID},
        'timestamp', clock_timestamp(), 'table', {row}.table_name, 'subject', to_jsonb({row}),
        'type', {type_}) || {more} FROM {row}"""  # noqa: S608 - literals only


def _followers(lineage: LiteralString) -> LiteralString:
    return f"""(SELECT '{INTENT}' AS kind WHERE {ARE_SUBSCRIBED}
        UNION ALL SELECT '{LINEAGE}' WHERE {lineage}) AS follower"""


OF_CLAIM: Final[LiteralString] = (
    _intents("claimed", type_="'import.started'", more="'{}'")
    + f", (SELECT '{LINEAGE}' AS kind) AS follower WHERE $3::boolean AND claimed.attempt = 1"
)
"""For the statement of a claim; $3: whether lineage is told."""

OF_END: Final[LiteralString] = (
    _intents(
        "ended",
        type_="'import.' || ended.state",
        more="jsonb_build_object('columns', $19::jsonb)",
    )
    + f", {_followers('$18::boolean')}"
)
"""For the statement of an end; $18: whether lineage is told, $19: the columns, for lineage."""

NOTE: Final[LiteralString] = f"""WITH noted AS (SELECT * FROM ingest.imports WHERE id = $1)
    {_intents("noted", type_="$2::text", more="'{}'")}, {_followers("$3::boolean")}"""  # noqa: S608


async def note(
    connection: RawConnection, import_id: ImportId, event: EventType, *, lineage: bool = False
) -> None:
    """Write an event about an import in the caller's transaction, if anybody subscribes.

    `lineage`: OpenLineage's receiver is told of the import's state, too.
    """
    await connection.execute(NOTE, import_id, event.value, lineage)
