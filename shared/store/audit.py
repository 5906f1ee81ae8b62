"""One line in `audit.events`, written in the transaction of what it tells of.

Every service's role may INSERT there; none may change or delete. The table and its reading
belong to auth.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, LiteralString

from shared.process.request_id import current_request_id
from shared.store.engine import RawConnection

INSERT_EVENT: Final[LiteralString] = """
INSERT INTO audit.events (subject, action, object, result, request_id, address, detail)
VALUES ($1, $2, $3, $4, $5, $6, $7::text::jsonb)"""


async def record_event(
    connection: RawConnection,
    *,
    subject: str | None,
    action: str,
    object_: str | None,
    result: str = "ok",
    address: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Say who did what to what; never with a secret in `detail`.

    `action` is `noun.verb` (`table.create`, `auth.sign_in`); `object_` names what it was done to.
    """
    await connection.execute(
        INSERT_EVENT,
        subject,
        action,
        object_,
        result,
        current_request_id.get(),
        address,
        json.dumps(dict(detail)) if detail else None,
    )
