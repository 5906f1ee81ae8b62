"""ETags of records: the table's version and the record's last transaction."""

import re
from collections.abc import Sequence

from services.records.domain import Table

_TAG = re.compile(r'"(\d+)-(\d+)"')


def etag(table: Table, state: str) -> str:
    """The tag of a record in this state."""
    return f'"{table.version}-{state}"'


def allowed(table: Table, if_match: str | None) -> Sequence[str] | None:
    """The states that an `If-Match` allows; None when it allows any."""
    if if_match is None or if_match.strip() == "*":
        return None
    version = str(table.version)
    tags = (_TAG.fullmatch(tag.strip()) for tag in if_match.split(","))
    return [tag[2] for tag in tags if tag is not None and tag[1] == version]
