"""What an error is to the admins: its kind, how often, and the newest example."""

import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

_CODE = re.compile(r"[a-z0-9_]{1,64}")


@dataclass(frozen=True, slots=True)
class Kind:
    """Errors that are one to an admin; only words from a bounded set, or Redis would fill."""

    method: str
    route: str
    status: int
    code: str

    @classmethod
    def of(cls, *, method: str, route: str, status: int, code: str | None) -> "Kind":
        """A kind; a code that is not of the agreed shape is `other`."""
        known = code is not None and _CODE.fullmatch(code)
        return cls(method, route, status, str(code) if known else "other")

    @property
    def key(self) -> str:
        """One line; no part holds a space."""
        return f"{self.status} {self.code} {self.method} {self.route}"

    @classmethod
    def from_key(cls, key: str) -> "Kind":
        """The kind that `key` was made of."""
        status, code, method, route = key.split(" ", 3)
        return cls(method, route, int(status), code)

    @property
    def is_failure(self) -> bool:
        """Whether it is ours (5xx, or an answer broken off), not the caller's (4xx)."""
        return not 400 <= self.status < 500


@dataclass(frozen=True, slots=True)
class Example:
    """One error of a kind, to look for in the logs."""

    at: datetime
    request_id: str
    subject: str | None
    duration_ms: float

    def to_json(self) -> dict[str, Any]:
        """For Redis."""
        return asdict(self) | {"at": self.at.astimezone(UTC).isoformat(timespec="seconds")}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Example":
        """From Redis."""
        return cls(**content | {"at": datetime.fromisoformat(content["at"])})


@dataclass(frozen=True, slots=True)
class Counted:
    """How many errors of one kind, and the newest."""

    kind: Kind
    count: int
    newest: Example
