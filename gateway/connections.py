"""The open connections of each client address, and which of them is closed where they are many."""

from collections.abc import Sequence
from typing import Protocol

from gateway.incoming import is_trusted
from gateway.metrics import connections_closed
from gateway.settings import Network
from shared.http.addresses import household


class Closable(Protocol):
    """A connection, as far as this module is concerned."""

    def close_now(self) -> None:
        """End it at once, whatever it is doing."""
        ...


class Connections:
    """Counts connections by address; those of trusted proxies hold many clients and are not."""

    def __init__(self, *, limit: int, trusted_proxies: Sequence[Network]) -> None:
        self._limit = limit
        self._trusted = trusted_proxies
        # A dict keeps the order in which connections came.
        self._unknown: dict[str, dict[Closable, None]] = {}
        self._known: dict[str, set[Closable]] = {}

    def add(self, connection: Closable, address: str) -> str | None:
        """Count one more; at the limit the oldest without an access token is closed for it.

        Returns the key for the other methods, None where it is not counted.
        """
        if self._trusted and is_trusted(address, self._trusted):
            return None
        key = household(address)
        unknown = self._unknown.setdefault(key, {})
        number = len(unknown) + len(self._known.get(key, ()))
        if number >= self._limit and unknown:
            oldest = next(iter(unknown))
            del unknown[oldest]
            connections_closed.inc()
            oldest.close_now()
        unknown[connection] = None
        return key

    def has_shown_a_token(self, connection: Closable, key: str) -> None:
        """It is not closed for a new one any more."""
        unknown = self._unknown.get(key, {})
        if connection in unknown:
            del unknown[connection]
            self._known.setdefault(key, set()).add(connection)

    def remove(self, connection: Closable, key: str) -> None:
        """It has ended."""
        if (unknown := self._unknown.get(key)) is not None:
            unknown.pop(connection, None)
            if not unknown:
                del self._unknown[key]
        if (known := self._known.get(key)) is not None:
            known.discard(connection)
            if not known:
                del self._known[key]
