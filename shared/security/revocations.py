"""Access tokens that ended before their time: an account disabled, a session or a key revoked.

A token is good for minutes without anyone being asked. So that disabling, demoting and revoking
reach every process within seconds, each holds the marks of what was revoked lately and asks auth
for new ones, which answers as soon as there is one. While auth cannot be reached a process goes on
with the marks it has, and a token is good until it expires.
"""

from collections.abc import Collection, Iterable

import httpx2
from pydantic import ValidationError

from shared.contracts.auth import REVOCATIONS_PATH, Revocation, Revocations
from shared.errors import UnavailableError

WAIT_S = 5.0
"""Auth answers without news after so long; a process that stops waits no longer for the answer."""
PAUSE_S = 1.0
"""Between two answers: news that come in a burst come together."""
KEPT_S = 1200.0
"""Longer than any access token is good, clocks allowed for."""


class Revoked:
    """The marks of what was revoked lately, as one process knows them."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}

    def add(self, revocations: Iterable[Revocation]) -> None:
        """Learn of revocations; those that no live token can carry are dropped."""
        for revocation in revocations:
            self._at[revocation.mark] = max(revocation.at, self._at.get(revocation.mark, 0))
        newest = max(self._at.values(), default=0)
        self._at = {mark: at for mark, at in self._at.items() if at > newest - KEPT_S}

    def at(self, mark: str) -> float:
        """Until when tokens with a mark were revoked, in seconds since 1970; 0 if never."""
        return self._at.get(mark, 0)

    def refuses(self, marks: Collection[str], *, issued_at: float) -> bool:
        """Whether a token with one of these marks, issued then, has been revoked."""
        if not self._at:
            return False
        return any(issued_at <= self._at.get(mark, 0) for mark in marks)


class RevocationFeed:
    """Asks auth for revocations, and lets `revoked` learn of them."""

    def __init__(self, http: httpx2.AsyncClient, auth_url: str, revoked: Revoked) -> None:
        self._http = http
        self._url = auth_url + REVOCATIONS_PATH
        self._revoked = revoked
        self._last = 0

    async def follow(self) -> None:
        """Ask once; returns when auth has news, or has none for 5 s. Raises UnavailableError."""
        params = {"after": str(self._last), "wait_s": str(WAIT_S)}
        try:
            answer = await self._http.get(
                self._url, params=params, timeout=httpx2.Timeout(WAIT_S + 5, connect=2)
            )
            answer.raise_for_status()
            news = Revocations.model_validate_json(answer.content)
        except (httpx2.HTTPError, ValidationError) as exc:
            raise UnavailableError(
                f"revocations cannot be read from auth ({type(exc).__name__})"
            ) from exc
        self._revoked.add(news.items)
        self._last = news.last
