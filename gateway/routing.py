"""Which path belongs to which service; decided on the path as it was sent, never decoded.

Services decode path parts once, after their own routing, so what passes here undecoded means the
same there: `/api/tables/..%2finternal` is a table with an odd name, not another path. Such names
are refused all the same, because a proxy behind us might think otherwise.
"""

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote_to_bytes


class Service(StrEnum):
    """The services behind the gateway."""

    AUTH = "auth"
    CATALOG = "catalog"
    RECORDS = "records"
    INGEST = "ingest"


@dataclass(frozen=True)
class Rule:
    """A path, and whether what lies below it belongs to the service too."""

    path: str
    service: Service
    below: bool = False
    exact: bool = True
    takes_files: bool = False
    """Files have their own limit, at the service."""
    waits: bool = False
    """A call over a limit waits for its turn: its clients never repeat what got 429."""


RULES = (
    Rule("/api/token", Service.AUTH),
    Rule("/api/token/refresh", Service.AUTH),
    Rule("/api/auth", Service.AUTH, below=True, exact=False),
    Rule("/api/audit", Service.AUTH),
    Rule("/.well-known/jwks.json", Service.AUTH),
    Rule("/api/catalog", Service.CATALOG, below=True, exact=False),
    Rule("/api/etl", Service.CATALOG, below=True, exact=False),
    Rule("/api/v1/lineage", Service.CATALOG, waits=True),
    Rule("/api/v1/lineage/batch", Service.CATALOG, waits=True),
    Rule("/api/create-table", Service.RECORDS),
    Rule("/api/add-column", Service.RECORDS),
    Rule("/api/delete-table", Service.RECORDS),
    Rule("/api/insert-record", Service.RECORDS),
    Rule("/api/get-records", Service.RECORDS),
    Rule("/api/update-record", Service.RECORDS),
    Rule("/api/delete-record", Service.RECORDS),
    Rule("/api/tables", Service.RECORDS, below=True),
    Rule("/api/upload-csv", Service.INGEST, takes_files=True),
    Rule("/api/data/file", Service.INGEST, takes_files=True),
    Rule("/api/data/database", Service.INGEST),
    Rule("/api/imports", Service.INGEST, below=True, takes_files=True),
    Rule("/api/uploads", Service.INGEST, below=True, takes_files=True),
    Rule("/api/previews", Service.INGEST, takes_files=True),
    Rule("/api/sources", Service.INGEST, below=True),
    Rule("/api/webhooks", Service.INGEST, below=True),
    Rule("/api/feeds", Service.INGEST, below=True, takes_files=True),
    Rule("/api/mail", Service.INGEST, below=True, exact=False),
)

_EXACT = {rule.path: rule for rule in RULES if rule.exact}
_BELOW = {tuple(rule.path.split("/")[1:]): rule for rule in RULES if rule.below}


def without_slash(raw_path: str) -> str:
    """The path without one slash at its end."""
    return raw_path[:-1] if len(raw_path) > 1 and raw_path.endswith("/") else raw_path


def rule_for(path: str) -> Rule | None:
    """The rule for a raw path (one slash at the end dropped already), or None: nobody's."""
    rule = _EXACT.get(path)
    if rule is not None:
        return rule
    parts = path.split("/", 3)
    if len(parts) < 4:
        return None
    rule = _BELOW.get((parts[1], parts[2]))
    if rule is None or _has_tricks(parts[3]):
        return None
    return rule


def _has_tricks(rest: str) -> bool:
    """Whether a part of a path is empty, or is or hides a `.` or `..` (encoded up to three times).

    No name that a service accepts needs one.
    """
    if "" in (parts := rest.split("/")):
        return True
    if "." in parts or ".." in parts:
        return True
    if "%" not in rest and "\\" not in rest:
        return False
    decoded = rest.encode("latin-1")
    for _ in range(3):
        decoded = unquote_to_bytes(decoded)
        hidden = decoded.replace(b"\\", b"/").split(b"/")
        if b".." in hidden or b"." in hidden:
            return True
    return False
