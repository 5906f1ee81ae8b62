"""Names of source columns folded into names that a table's columns may have, for `create_table`."""

import re
import unicodedata
from collections.abc import Sequence

from services.ingest.errors import DuplicateColumnError
from shared.contracts.records import ID_COLUMN, IDENTIFIER_LIMIT_BYTES

SOURCE_ID = "source_id"
"""What a source's own `id` becomes; the table's `id` is its own."""
_FOREIGN = re.compile(r"[^\w]")
_FIRST = re.compile(r"[^\W\d_]")


def folded_name(name: str, position: int) -> str:
    """The nearest name that the naming rule allows; `position` (from 1) names the nameless.

    Other characters become `_`; what begins with a digit gets a `c` in front.
    """
    text = _FOREIGN.sub("_", unicodedata.normalize("NFC", name.strip())).strip("_")
    if not text:
        return f"column_{position}"
    if not _FIRST.match(text):
        text = f"c{text}"
    if text.lower() == ID_COLUMN:
        return SOURCE_ID
    return text.encode()[:IDENTIFIER_LIMIT_BYTES].decode(errors="ignore").rstrip("_")


def folded_names(names: Sequence[str]) -> dict[str, str]:
    """Source name → table name, in order.

    Raises DuplicateColumnError when two names fold into one.
    """
    targets = {name: folded_name(name, at) for at, name in enumerate(names, 1)}
    sources: dict[str, list[str]] = {}
    for source, target in targets.items():
        sources.setdefault(target, []).append(source)
    for target, several in sources.items():
        if len(several) > 1:
            listed = ", ".join(f"'{name}'" for name in several)
            raise DuplicateColumnError.of_columns(
                f"{listed} would all be named {target}: rename or drop all but one with `mapping`",
                several,
                f"would be named {target}, as another column would",
            )
    return targets
