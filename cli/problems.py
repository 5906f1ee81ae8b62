"""Turning what went wrong on the wire into the errors of this command."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
from pydantic import ValidationError

from cli.errors import NotTabulariumError, ProblemAnswerError, ServerAwayError
from shared.contracts.problem import ProblemDocument


@contextmanager
def transport_errors(url: str) -> Iterator[None]:
    """Raise ServerAwayError, in words for people, for every failure below HTTP."""
    try:
        yield
    except httpx2.ConnectError as exc:
        raise ServerAwayError(
            f"nobody answers at {url}; is the server running?"
            " Choose another with --url or TABULARIUM_URL"
        ) from exc
    except httpx2.TimeoutException as exc:
        raise ServerAwayError(f"{url} took too long to answer ({type(exc).__name__})") from exc
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as exc:
        raise ServerAwayError(f"{url} is no address of a server: {exc}") from exc
    except httpx2.TransportError as exc:
        raise ServerAwayError(f"the connection to {url} broke ({type(exc).__name__})") from exc


def checked(response: httpx2.Response) -> httpx2.Response:
    """The response if it is a success; raises ProblemAnswerError or NotTabulariumError if not."""
    if response.is_success:
        return response
    response.read()
    try:
        problem = ProblemDocument.model_validate_json(response.content)
    except ValidationError as exc:
        raise NotTabulariumError(
            f"{response.request.url.copy_with(query=None)} answered {response.status_code}"
            " without saying why; is this a Tabularium server?"
        ) from exc
    raise ProblemAnswerError(problem, retry_after_s=_retry_after_s(response))


def _retry_after_s(response: httpx2.Response) -> float | None:
    sent = response.headers.get("Retry-After", "")
    return float(sent) if sent.isdecimal() else None
