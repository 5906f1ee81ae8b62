"""The public API as this command calls it: tokens, retries, pages, streams; no printing."""

import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Self
from urllib.parse import quote

import httpx2
import stamina

from cli.credentials import CredentialStore
from cli.errors import NotTabulariumError, ProblemAnswerError, ServerAwayError
from cli.exact import exact_json
from cli.problems import checked, transport_errors
from cli.tokens import GivenToken, SignIn, StoredToken
from shared import __version__

TIMEOUT = httpx2.Timeout(90, connect=5)
"""The gateway gives a service 60 s for the first byte of its answer."""
TEMPORARY = frozenset({429, 502, 503, 504})
LONGEST_RETRY_AFTER_S = 30.0
ATTEMPTS = 4

Parameters = Mapping[str, str | int] | list[tuple[str, str]]


class Client:
    """One server, as one signed-in caller."""

    def __init__(
        self,
        url: str,
        *,
        store: CredentialStore,
        token: str | None = None,
        patience_s: float | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        headers = {"User-Agent": f"tabularium-cli/{__version__}"}
        timeout = TIMEOUT if patience_s is None else httpx2.Timeout(patience_s)
        self._http = httpx2.Client(
            base_url=self.url, timeout=timeout, headers=headers, verify=_authorities(self.url)
        )
        self.sign_in = SignIn(self._http, self.url)
        self._auth: httpx2.Auth = (
            GivenToken(token) if token else StoredToken(self.url, store, self.sign_in)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._http.close()

    def get(self, path: str, params: Parameters | None = None) -> httpx2.Response:
        """Read; tried again while the server says that it is busy or away for a moment.

        Raises ProblemAnswerError, ServerAwayError, NotTabulariumError or NotSignedInError, as
        every method here.
        """
        # stamina types its hook as any exception; the delay in seconds is the server's wish.
        for attempt in stamina.retry_context(
            on=_worth_another_try, attempts=ATTEMPTS, wait_initial=0.3, wait_max=5
        ):
            with attempt:
                return self.send("GET", path, params=params)
        raise AssertionError("stamina returns or raises")

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Parameters | None = None,
        body: Any = None,
        data: Mapping[str, str] | None = None,
        files: Mapping[str, Any] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """Send once: a JSON body, or form fields and files, which are streamed, or bytes."""
        if body is not None:
            content = exact_json(body).encode()
            headers = {"Content-Type": "application/json", **(headers or {})}
        with transport_errors(self.url):
            response = self._http.request(
                method,
                path,
                params=params,  # type: ignore[arg-type]  # its mapping type is invariant
                data=data,
                files=files,
                content=content,
                headers=headers,
                auth=self._auth,
            )
        return checked(response)

    def probe(self, path: str) -> httpx2.Response:
        """Read what needs no token, whatever its status; raises ServerAwayError."""
        with transport_errors(self.url):
            return self._http.get(path)

    @contextmanager
    def stream(self, path: str, *, params: Parameters | None = None) -> Iterator[httpx2.Response]:
        """A body that is read piece by piece; one that breaks off raises ServerAwayError."""
        with (
            transport_errors(self.url),
            self._http.stream("GET", path, params=params, auth=self._auth) as response,  # type: ignore[arg-type]
        ):
            yield checked(response)

    @contextmanager
    def events(self, path: str, *, last_event_id: str | None) -> Iterator[httpx2.EventSource]:
        """Server-sent events, from after `last_event_id` on."""
        headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
        with (
            transport_errors(self.url),
            self._http.sse(path, headers=headers, auth=self._auth) as source,
        ):
            checked(source.response)
            yield source

    def items(self, path: str, params: Parameters | None = None) -> Iterator[dict[str, Any]]:
        """Every item of a list, page after page."""
        page = decoded(self.get(path, params))
        while True:
            yield from page["items"]
            if page["next"] is None:
                return
            page = decoded(self.get(page["next"]))


def part(name: str) -> str:
    """A name as one part of a path; it may hold slashes and any letters."""
    return quote(name, safe="")


def decoded(response: httpx2.Response) -> Any:
    """JSON with every digit of its numbers kept."""
    try:
        return json.loads(response.content, parse_float=Decimal)
    except ValueError as exc:
        raise NotTabulariumError(
            f"{response.request.url.copy_with(query=None)} answered something else than JSON"
        ) from exc


def _authorities(url: str) -> ssl.SSLContext | bool:
    """What `verify` of httpx2 takes: the system's certificate authorities, for a URL with TLS.

    They take 20 ms to read. Without TLS there are none, and no certificate would be accepted.
    """
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if url.startswith("http://") else True


def _worth_another_try(exc: Exception) -> bool | float:
    if isinstance(exc, ServerAwayError):
        # Nobody there at all is most often a wrong address: say so at once.
        return not isinstance(exc.__cause__, (httpx2.ConnectError, httpx2.InvalidURL))
    if isinstance(exc, ProblemAnswerError) and exc.problem.status in TEMPORARY:
        if exc.retry_after_s is None:
            return True
        return exc.retry_after_s if exc.retry_after_s <= LONGEST_RETRY_AFTER_S else False
    return False
