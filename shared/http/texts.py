"""Text in a request's path and query must be text: no NUL, and UTF-8 wherever it is encoded.

A query that is not UTF-8 cannot be read at all (400); a NUL, or a path that is not UTF-8, can be
read and names nothing that there is (422).

What stands in bodies and forms is checked by `RequestModel`, before any service sees it.
"""

from collections.abc import Iterator
from typing import ClassVar
from urllib.parse import parse_qsl

from fastapi import Request

from shared.contracts.problem import FieldError
from shared.errors import InvalidInputError, ProblemError
from shared.values.faults import FaultCode
from shared.values.texts import UnstorableTextError, readable, storable

MESSAGE = "send UTF-8 without NUL, percent-encoded"


class UnreadableQueryError(ProblemError):
    """Bytes in the query that are not UTF-8."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "unreadable_query"
    title: ClassVar[str] = "The query is not UTF-8"


async def texts_checked(request: Request) -> None:
    """A dependency of every route; raises as `check_texts`."""
    check_texts(request)


def check_texts(request: Request) -> None:
    """Raise InvalidInputError naming each part of path or query that PostgreSQL could not hold.

    Raises UnreadableQueryError where bytes of the query are not UTF-8. `Segment` leaves such bytes
    of the path as lone surrogates, so that they are noticed here.
    """
    path_params, query = request.path_params, request.scope["query_string"]
    # The server lets nothing but ASCII pass, and no NUL: what is odd is percent-encoded.
    if not path_params and b"%" not in query:
        return
    errors = [
        error
        for name, value in path_params.items()
        if isinstance(value, str) and (error := _error(name, value))
    ]
    if b"%" in query:
        in_query = list(_in_query(query.decode("latin-1")))
        errors += in_query
        if any(error.code == FaultCode.BAD_ENCODING for error in in_query):
            raise UnreadableQueryError(f"{in_query[0].field}: {MESSAGE}", errors=errors)
    if errors:
        raise InvalidInputError(f"{errors[0].field}: {MESSAGE}", errors=errors)


def _in_query(query: str) -> Iterator[FieldError]:
    for name, value in parse_qsl(query, keep_blank_values=True, errors="surrogateescape"):
        if error := _error(name, name) or _error(name, value):
            yield error


def _error(name: str, text: str) -> FieldError | None:
    try:
        storable(text)
    except UnstorableTextError as exc:
        return FieldError(field=readable(name), code=exc.code, message=MESSAGE)
    return None
