"""API keys: exchanged for access tokens at auth, so that services see tokens alone.

A token is kept for a minute, and every use asks the verifier about it: a key that was revoked is
refused as soon as the notice arrives, and after a minute without one.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass

import httpx2
from pydantic import ValidationError

from shared.contracts.auth import API_KEY_PATH, API_KEY_PREFIX, IssuedToken
from shared.errors import InvalidTokenError, UnauthenticatedError, UnavailableError
from shared.process.request_id import HEADER, current_request_id
from shared.security.tokens import Verifier

KEPT_S = 60.0
KEPT_TOKENS = 10_000
TIMEOUT_S = 5.0


class InvalidApiKeyError(InvalidTokenError):
    """The API key is unknown, revoked or expired."""

    code = "invalid_api_key"

    def __init__(self) -> None:
        super().__init__("the API key is unknown, revoked or expired")


@dataclass(frozen=True, slots=True)
class Kept:
    """An access token, and until when by the monotonic clock it may be used."""

    token: str
    until: float


class ApiKeys:
    """Exchanges keys, each once a minute however many requests use it."""

    def __init__(self, http: httpx2.AsyncClient, auth_url: str, verifier: Verifier) -> None:
        self._http = http
        self._url = auth_url.rstrip("/") + API_KEY_PATH
        self._verifier = verifier
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()
        self._exchanging: dict[bytes, asyncio.Task[str]] = {}

    async def kept_token(self, key: str) -> str | None:
        """The access token that is kept for a key, if it is still good."""
        kept = self._kept.get(_digest(key))
        if kept is None or kept.until <= time.monotonic():
            return None
        try:
            await self._verifier.verify(kept.token)
        except UnauthenticatedError:
            return None
        return kept.token

    async def fresh_token(self, key: str) -> str:
        """A new access token for a key; requests at once share one exchange.

        Raises InvalidApiKeyError, and UnavailableError while auth cannot be reached.
        """
        digest = _digest(key)
        task = self._exchanging.get(digest)
        if task is None:
            task = asyncio.create_task(self._exchange(key, digest))
            self._exchanging[digest] = task
            task.add_done_callback(lambda _task: self._exchanging.pop(digest, None))
        # One client that leaves must not end what others wait for.
        return await asyncio.shield(task)

    async def _exchange(self, key: str, digest: bytes) -> str:
        self._kept.pop(digest, None)
        headers = {"Authorization": f"Bearer {key}", HEADER: current_request_id.get() or ""}
        try:
            answer = await self._http.post(self._url, headers=headers, timeout=TIMEOUT_S)
            if answer.status_code == httpx2.codes.UNAUTHORIZED:
                raise InvalidApiKeyError
            answer.raise_for_status()
            issued = IssuedToken.model_validate_json(answer.content)
        except (httpx2.HTTPError, ValidationError) as exc:
            raise UnavailableError("API keys cannot be checked now; try again") from exc
        lifetime_s = min(KEPT_S, issued.expires_in)
        self._kept[digest] = Kept(issued.access_token, until=time.monotonic() + lifetime_s)
        if len(self._kept) > KEPT_TOKENS:
            self._kept.popitem(last=False)
        return issued.access_token


def is_api_key(token: str) -> bool:
    """Whether a bearer token has the form of an API key: printable ASCII behind its prefix."""
    return token.startswith(API_KEY_PREFIX) and token.isascii() and token.isprintable()


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
