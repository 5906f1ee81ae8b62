"""Calls between services: HTTP with a client-credentials token of scope `internal`."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import TypeVar

import httpx2
from pydantic import BaseModel, ValidationError

from shared.contracts.auth import IssuedToken
from shared.contracts.problem import ProblemDocument
from shared.errors import ProblemError, ScopeMissingError, UnavailableError
from shared.process import tracing
from shared.process.request_id import HEADER, current_request_id
from shared.process.settings import ServiceSettings

Answer = TypeVar("Answer", bound=BaseModel)

RENEW_BEFORE_S = 60
TIMEOUT = httpx2.Timeout(10, connect=2)


class PeerUnavailableError(UnavailableError):
    """Another service cannot be reached, or fails."""

    code = "peer_unavailable"


class PeerProblemError(ProblemError):
    """A peer refused the request; its problem document is passed on unchanged."""

    def __init__(self, document: ProblemDocument) -> None:
        super().__init__(document.detail, errors=document.errors or ())
        # The instance says what the peer said; the class attributes are only the fallback.
        self.status = document.status  # type: ignore[misc]
        self.code = document.code  # type: ignore[misc]
        self.title = document.title  # type: ignore[misc]


@cache
def _authorities() -> ssl.SSLContext:
    """The certificate authorities of the system, read once: that takes as long as ten requests."""
    return httpx2.create_ssl_context(trust_env=False)


@asynccontextmanager
async def http_client() -> AsyncIterator[httpx2.AsyncClient]:
    """The one HTTP client of a process; proxies of the environment are ignored."""
    async with httpx2.AsyncClient(
        timeout=TIMEOUT, trust_env=False, verify=_authorities()
    ) as client:
        yield client


class TokenSource:
    """The process's own access token, renewed a minute before it ends."""

    def __init__(self, http: httpx2.AsyncClient, settings: ServiceSettings) -> None:
        self._http = http
        self._settings = settings
        self._token = ""
        self._renew_at = 0.0
        self._renewing = asyncio.Lock()

    async def token(self) -> str:
        """A token that holds for at least a minute; raises PeerUnavailableError."""
        async with self._renewing:
            if time.monotonic() >= self._renew_at:
                await self._renew()
            return self._token

    def forget(self) -> None:
        """Ask for a new token next time."""
        self._renew_at = 0.0

    async def _renew(self) -> None:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._settings.service_client_id,
            "client_secret": self._settings.service_client_secret.get_secret_value(),
        }
        try:
            answer = await self._http.post(f"{self._settings.auth_url}/api/auth/token", data=form)
            answer.raise_for_status()
        except httpx2.HTTPError as exc:
            raise PeerUnavailableError("no token could be had from auth") from exc
        token = _read(IssuedToken, answer)
        self._token = token.access_token
        self._renew_at = time.monotonic() + token.expires_in - RENEW_BEFORE_S


class PeerClient:
    """Calls one peer's `/internal/…` paths and reads its contract."""

    def __init__(self, http: httpx2.AsyncClient, tokens: TokenSource, *, base_url: str) -> None:
        self._http = http
        self._tokens = tokens
        self._base_url = base_url

    async def call(
        self,
        method: str,
        path: str,
        answer: type[Answer],
        *,
        body: BaseModel | None = None,
        params: Mapping[str, str] | None = None,
        lines: AsyncIterator[bytes] | None = None,
        timeout_s: float = 10,
    ) -> Answer:
        """Send a contract (or stream NDJSON `lines`) and read one back.

        Raises PeerProblemError when the peer refuses, PeerUnavailableError when it cannot be
        reached or its response does not match the contract.
        """
        return _read(answer, await self._send(method, path, body, params, lines, timeout_s))

    async def send(
        self,
        method: str,
        path: str,
        *,
        body: BaseModel | None = None,
        params: Mapping[str, str] | None = None,
    ) -> None:
        """Send a contract whose response has no body; raises as `call`."""
        await self._send(method, path, body, params, None, 10)

    async def _send(
        self,
        method: str,
        path: str,
        body: BaseModel | None,
        params: Mapping[str, str] | None,
        lines: AsyncIterator[bytes] | None,
        timeout_s: float,
    ) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {await self._tokens.token()}"}
        request_id = current_request_id.get()
        if request_id is not None:
            headers[HEADER] = request_id
        content: bytes | AsyncIterator[bytes] | None = lines
        if lines is not None:
            headers["Content-Type"] = "application/x-ndjson"
        elif body is not None:
            headers["Content-Type"] = "application/json"
            content = body.model_dump_json().encode()
        try:
            about: tracing.Attributes = {"url.full": self._base_url + path}
            with tracing.span(method, kind="client", attributes=about):
                response = await self._http.request(
                    method,
                    self._base_url + path,
                    headers=headers | tracing.headers(),
                    content=content,
                    params=params,
                    timeout=httpx2.Timeout(timeout_s, connect=2),
                )
                tracing.note({"http.response.status_code": response.status_code})
        except httpx2.HTTPError as exc:
            raise PeerUnavailableError(f"a peer is away ({type(exc).__name__})") from exc
        if response.status_code == 401:
            self._tokens.forget()
        if response.is_success:
            return response
        raise _problem(response)


def _read(contract: type[Answer], response: httpx2.Response) -> Answer:
    try:
        return contract.model_validate_json(response.content)
    except ValidationError as exc:
        raise PeerUnavailableError("a peer's answer does not fit its contract") from exc


def _problem(response: httpx2.Response) -> ProblemError:
    if response.status_code in (401, 403) or response.status_code >= 500:
        # A peer's trouble with our own token or with itself is not the user's doing.
        try:
            document = ProblemDocument.model_validate_json(response.content)
        except ValidationError:
            return PeerUnavailableError(f"a peer answered {response.status_code}")
        if response.status_code == 403 and document.code != ScopeMissingError.code:
            return PeerProblemError(document)
        return PeerUnavailableError(f"a peer answered {response.status_code}: {document.detail}")
    try:
        return PeerProblemError(ProblemDocument.model_validate_json(response.content))
    except ValidationError:
        return PeerUnavailableError(f"a peer answered {response.status_code} without a problem")
