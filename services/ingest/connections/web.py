"""HTTP to addresses that people gave: feeds are pulled and webhooks are sent through it.

The guard is asked about every address that is really connected to, on every hop, so that neither
a literal address nor a name that changes its mind gets past it. Not here: what becomes of answers.
"""

import asyncio
import ipaddress
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import PurePosixPath
from typing import Any

import aiohttp
from yarl import URL

from services.ingest.connections.errors import Reason
from services.ingest.connections.guard import Guard
from shared.errors import InvalidInputError

URL_LIMIT = 2_048
REDIRECTS = 5
CONNECT_S = 10.0
SILENT_S = 30.0
"""How long an answer may pause."""
SLOW_AFTER_S = 30.0
LEAST_BYTES_PER_S = 1_024
"""From `SLOW_AFTER_S` on an answer has to come at this rate, on average."""
PIECE_BYTES = 1 << 16
FILE_NAME_LIMIT = 255
CODINGS = frozenset({"identity", "gzip", "x-gzip", ""})
"""Codings of a body that is read as it comes: a file may be compressed by gzip."""
GOOD_STATUSES = frozenset({200, 203})
"""With the whole file: 202 says that it is not made yet, 204 has none, 206 a part, unasked."""
EXPLANATION_BYTES = 4_096
"""How much of a refusal is read to find out why."""
REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})


Explain = Callable[[int, bytes], Reason | None]
"""Why an answer of this status refuses, by the beginning of its body."""


class UrlRefusedError(InvalidInputError):
    """A URL that is none, or that this installation may not call."""

    code = "url_refused"
    title = "The URL cannot be used"


class AnswerError(Exception):
    """What was asked for did not come; the message says why, in words for people.

    `again`: trying later may help (a time-out, 5xx), or never will (4xx, a refused address).
    """

    def __init__(
        self,
        message: str,
        *,
        again: bool,
        status: int | None = None,
        reason: Reason | None = None,
    ) -> None:
        """`status`: what was answered, if anything was; `reason`: what its body says."""
        super().__init__(message)
        self.again = again
        self.status = status
        self.reason = reason


class _AddressRefusedError(OSError):
    """The guard does not allow an address; an OSError, as aiohttp expects of a socket factory."""


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server said of a file's version, to ask whether it changed."""

    etag: str | None = None
    last_modified: str | None = None

    def headers(self) -> dict[str, str]:
        """The header of a conditional request.

        Where there is an ETag, no date is sent: some servers go by either, and a date does not
        tell two versions of one second apart.
        """
        if self.etag is not None:
            return {"If-None-Match": self.etag}
        return {} if self.last_modified is None else {"If-Modified-Since": self.last_modified}


@dataclass(slots=True)
class Download:
    """An answer whose body has not been read. `unchanged`: 304, and there is no body."""

    unchanged: bool
    validators: Validators
    file_name: str | None
    """The last part of the name that the server gives or the URL ends in; for the record alone."""
    size_bytes: int | None
    limit_bytes: int
    _response: aiohttp.ClientResponse = field(repr=False)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as sent, with its content coding; raises AnswerError."""
        started = time.monotonic()
        received = 0
        try:
            async for piece in self._response.content.iter_chunked(PIECE_BYTES):
                received += len(piece)
                if received > self.limit_bytes:
                    raise AnswerError(
                        f"the file is larger than {self.limit_bytes:,} bytes", again=False
                    )
                elapsed = time.monotonic() - started
                if elapsed > SLOW_AFTER_S and received < elapsed * LEAST_BYTES_PER_S:
                    raise AnswerError("the file comes too slowly", again=True)
                yield piece
        except (TimeoutError, aiohttp.ClientError, OSError) as exc:
            raise AnswerError(f"the file broke off: {_reason(exc)}", again=True) from exc


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answered; its body is not read."""

    status: int
    complaint: str
    """The status in words."""
    retry_after_s: float | None
    """How long it asked to be left alone."""


def checked_url(text: str, *, field_name: str) -> URL:
    """An absolute http or https URL without a log-in in it; raises UrlRefusedError."""
    wrong: str | None = None
    url = URL()
    if len(text) > URL_LIMIT:
        wrong = f"a URL has at most {URL_LIMIT:,} characters"
    elif not text.isprintable() or any(character.isspace() for character in text):
        wrong = "a URL holds no blanks and no control characters"
    else:
        try:
            url = URL(text)
        except ValueError:
            wrong = "this is no URL"
    if wrong is None:
        if url.scheme not in ("http", "https") or not url.host:
            wrong = "give an absolute URL that begins with https:// or http://"
        elif url.user is not None or url.password is not None:
            wrong = "a URL is no place for a log-in: send it as a header"
    if wrong is not None:
        raise UrlRefusedError.of(field_name, "invalid_url", wrong)
    return url


def same_origin(one: str, other: str) -> bool:
    """Whether two URLs are of one scheme, host and port; raises UrlRefusedError."""
    first, second = (checked_url(text, field_name="from.url") for text in (one, other))
    return first.origin() == second.origin()


@asynccontextmanager
async def guarded_session(guard: Guard) -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client that connects to nothing but what the guard allows.

    No proxies or credentials of the environment, no cookies; a body is handed on as it came.
    """
    peers = await guard.peers()

    def checked_socket(info: Any) -> socket.socket:
        family, kind, protocol, _, address = info
        target = ipaddress.ip_address(str(address[0]).partition("%")[0])
        if not peers.allows(target, int(address[1])):
            raise _AddressRefusedError("this installation may not connect to that address")
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)  # noqa: FBT003 - positional in the standard library
        return made

    connector = aiohttp.TCPConnector(
        socket_factory=checked_socket, use_dns_cache=False, force_close=True
    )
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENT_S)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        trust_env=False,
        auto_decompress=False,
        headers={"Accept-Encoding": "identity", "User-Agent": "Tabularium"},
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:
        yield session


@asynccontextmanager
async def download(
    session: aiohttp.ClientSession,
    url: URL,
    *,
    headers: Mapping[str, str],
    validators: Validators,
    limit_bytes: int,
    explain: Explain | None = None,
) -> AsyncIterator[Download]:
    """GET a file; redirects are followed at most five times, none from https to http.

    What the caller sends as headers goes to the origin that they named and to no other. Raises
    AnswerError, with the reason that `explain` finds in the body of a refusal.
    """
    sent: dict[str, str] = {**headers, **validators.headers()}
    origin = url.origin()
    for _ in range(REDIRECTS + 1):
        try:
            response = await session.get(url, headers=sent, allow_redirects=False)
        except (TimeoutError, aiohttp.ClientError, OSError) as exc:
            raise _unreachable(url, exc) from exc
        async with response:
            if explain is not None and not (_is_good(response) or response.status == 304):
                await _refuse_explained(response, explain)
            if response.status not in REDIRECT_STATUSES:
                yield _taken(response, limit_bytes)
                return
            target = _redirected(url, response)
        if target.origin() != origin:
            sent = validators.headers()
        url = target
    raise AnswerError(f"the address redirects more than {REDIRECTS} times", again=False)


async def post(
    session: aiohttp.ClientSession,
    url: URL,
    *,
    body: bytes,
    headers: Mapping[str, str],
    total_s: float,
) -> Answer:
    """POST a body and return the status; redirects are not followed. Raises AnswerError."""
    try:
        async with session.post(
            url,
            data=body,
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=total_s, sock_connect=CONNECT_S),
        ) as response:
            status, reason = response.status, response.reason or ""
            retry_after_s = _retry_after_s(response.headers.get("Retry-After", ""))
    except (TimeoutError, aiohttp.ClientError, OSError) as exc:
        raise _unreachable(url, exc) from exc
    complaint = f"the receiver answered {status} {reason[:100]}".rstrip()
    if status in REDIRECT_STATUSES:
        complaint += "; redirects are not followed"
    return Answer(status, complaint, retry_after_s)


def _retry_after_s(value: str) -> float | None:
    """Seconds, or a date (RFC 9110, section 10.2.3); None for anything else."""
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        wait = parsedate_to_datetime(value) - datetime.now(UTC)
    except (ValueError, TypeError):
        return None
    return max(0.0, wait.total_seconds())


def _redirected(url: URL, response: aiohttp.ClientResponse) -> URL:
    location = response.headers.get("Location", "")
    try:
        target = url.join(URL(location))
        checked_url(str(target), field_name="url")
    except (ValueError, UrlRefusedError) as exc:
        raise AnswerError("the address redirects to what is no URL", again=False) from exc
    if url.scheme == "https" and target.scheme == "http":
        raise AnswerError("the address redirects from https to http", again=False)
    return target


def _is_good(response: aiohttp.ClientResponse) -> bool:
    """Whether it has what was asked for: all of a file, or the part that `Range` names."""
    asked_for_part = "Range" in response.request_info.headers
    return response.status in GOOD_STATUSES or (asked_for_part and response.status == 206)


def _taken(response: aiohttp.ClientResponse, limit_bytes: int) -> Download:
    status = response.status
    if status == 304 or _is_good(response):
        size = response.content_length
        if size is not None and size > limit_bytes:
            raise AnswerError(f"the file is larger than {limit_bytes:,} bytes", again=False)
        coding = response.headers.get("Content-Encoding", "identity").lower()
        if coding not in CODINGS:
            raise AnswerError(f"the server sends the file encoded as {coding}", again=False)
        return Download(
            unchanged=status == 304,
            validators=Validators(
                response.headers.get("ETag"), response.headers.get("Last-Modified")
            ),
            file_name=_file_name(response),
            size_bytes=size,
            limit_bytes=limit_bytes,
            _response=response,
        )
    raise AnswerError(
        f"the server answered {status} {response.reason or ''}".rstrip(),
        again=_may_pass(status),
        status=status,
    )


async def _refuse_explained(response: aiohttp.ClientResponse, explain: Explain) -> None:
    """Raise AnswerError where the body of a refusal says why."""
    status = response.status
    try:
        body = await response.content.read(EXPLANATION_BYTES)
    except (TimeoutError, aiohttp.ClientError, OSError):
        return  # its status says enough
    if (reason := explain(status, body)) is not None:
        again = reason.passing or _may_pass(status)
        raise AnswerError(reason.words, again=again, status=status, reason=reason)


def _may_pass(status: int) -> bool:
    return status >= 500 or status in (202, 408, 425, 429)


def _file_name(response: aiohttp.ClientResponse) -> str | None:
    disposition = response.content_disposition
    given = disposition.filename if disposition is not None else None
    name = PurePosixPath((given or response.url.path).replace("\\", "/")).name
    printable = "".join(character for character in name if character.isprintable())
    return printable[:FILE_NAME_LIMIT] or None


def _unreachable(url: URL, exc: Exception) -> AnswerError:
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, _AddressRefusedError):
            return AnswerError(
                f"this installation may not connect to {url.host}; its operator can allow the"
                " network",
                again=False,
            )
        cause = cause.__cause__ or getattr(cause, "os_error", None)
    return AnswerError(f"{url.host} cannot be reached: {_reason(exc)}", again=True)


def _reason(exc: BaseException) -> str:
    if isinstance(exc, TimeoutError | asyncio.TimeoutError):
        return "no answer in time"
    if isinstance(exc, aiohttp.ClientConnectorCertificateError):
        return "its certificate cannot be verified"
    if isinstance(exc, aiohttp.ClientConnectorDNSError):
        return "no address is known for it"
    return type(exc).__name__ if not str(exc) else str(exc).partition("\n")[0][:200]
