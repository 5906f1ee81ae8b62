"""Bodies of OpenLineage's calls: inflated, and parted into events that can be read."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from pydantic_core import from_json, to_json
from starlette.requests import Request

from services.catalog.errors import EventUnreadableError
from services.catalog.pipeline.openlineage import refuse_unreadable
from shared.errors import InvalidInputError, TooLargeError
from shared.http.problems import unreadable_json
from shared.values.numbers import JsonValue, Repeating, read_noted, repeated_member, twice

GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class Batch:
    """The events of an array, and the places and reasons of those that cannot be read."""

    events: list[bytes] = field(default_factory=list)
    failed: list[tuple[int, str]] = field(default_factory=list)


def received_body(limit_bytes: int) -> Callable[[Request], Awaitable[bytes]]:
    """A dependency: the request's body, inflated where it came in gzip.

    Raises TooLargeError beyond the limit, InvalidInputError for another coding.
    """

    async def body(request: Request) -> bytes:
        sent = await request.body()
        coding = request.headers.get("Content-Encoding", "identity").strip().lower()
        if coding in ("identity", ""):
            return sent
        if coding not in ("gzip", "x-gzip"):
            raise InvalidInputError.of(
                "Content-Encoding", "unsupported_encoding", "send gzip, or no coding"
            )
        return await asyncio.to_thread(_inflated, sent, limit_bytes)

    return body


def event_of(body: bytes) -> bytes:
    """The body, if it is an event.

    Raises EventUnreadableError, InvalidInputError where an object has a member twice.
    """
    noted, any_repeats = _read(body)
    if any_repeats:
        _refuse_repeated(noted)
    refuse_unreadable(body)
    return body


def batch_of(body: bytes) -> Batch:
    """The events of an array.

    Raises EventUnreadableError for a body that is none, InvalidInputError where it is an object
    that has a member twice.
    """
    noted, any_repeats = _read(body)
    if not isinstance(noted, list):
        _refuse_repeated(noted)
        raise EventUnreadableError("send an array of events")
    batch = Batch()
    for place, event in enumerate(_parsed(body)):
        member = repeated_member(noted[place]) if any_repeats else None
        if member is not None:
            batch.failed.append((place, twice(member)))
            continue
        try:
            refuse_unreadable(event)
        except EventUnreadableError as exc:
            batch.failed.append((place, exc.detail))
        else:
            batch.events.append(to_json(event))
    return batch


def _read(body: bytes) -> tuple[JsonValue, bool]:
    """The body, and whether an object of it may have a member twice; looking for it takes long.

    Raises EventUnreadableError.
    """
    before = Repeating.count
    try:
        return read_noted(body.decode()), Repeating.count > before
    except RecursionError as exc:
        raise EventUnreadableError("this is no JSON: it is nested too deeply") from exc
    except ValueError as exc:
        raise EventUnreadableError(f"this is no JSON: {exc}") from exc


def _parsed(body: bytes) -> list[object]:
    """The elements of an array with the numbers of JSON; raises EventUnreadableError."""
    try:
        elements: list[object] = from_json(body)
    except ValueError as exc:
        raise EventUnreadableError(f"this is no JSON: {exc}") from exc
    return elements


def _refuse_repeated(noted: JsonValue) -> None:
    member = repeated_member(noted)
    if member is not None:
        raise unreadable_json(ValueError(twice(member)))


def _inflated(sent: bytes, limit_bytes: int) -> bytes:
    inflater = zlib.decompressobj(GZIP)
    try:
        body = inflater.decompress(sent, limit_bytes + 1)
    except zlib.error as exc:
        raise EventUnreadableError(f"this is no gzip: {exc}") from exc
    if len(body) > limit_bytes:
        raise TooLargeError(
            f"an inflated body has at most {limit_bytes} bytes", limit_bytes=limit_bytes
        )
    if not inflater.eof:
        raise EventUnreadableError("the gzip stream breaks off")
    return body
