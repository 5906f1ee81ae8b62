"""A multipart body read as a stream: small fields are kept, the file goes on as it comes.

FastAPI's own form parsing would spool the file to disk before the route runs.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from services.ingest.errors import UploadCutShortError, UploadTooLargeError
from shared.contracts.problem import FieldError
from shared.errors import InvalidInputError

FIELD_LIMIT_BYTES = 256 * 1024
FIELDS_LIMIT = 64
FILE_NAME_LIMIT = 200

Store = Callable[[str, AsyncIterator[bytes]], Awaitable[None]]
"""Takes the file's name and its bytes; must read them to their end."""


@dataclass(slots=True)
class _Part:
    name: str
    file_name: str | None
    data: bytearray = field(default_factory=bytearray)


@dataclass(frozen=True, slots=True)
class _Begin:
    part: _Part


@dataclass(frozen=True, slots=True)
class _Data:
    data: bytes


@dataclass(frozen=True, slots=True)
class _End:
    pass


_Event = _Begin | _Data | _End


class _Events:
    """python-multipart's callbacks, collected as events in the order in which they come."""

    def __init__(self, boundary: bytes) -> None:
        self.seen: list[_Event] = []
        self.finished = False
        self._header = bytearray()
        self._value = bytearray()
        self._headers: dict[bytes, bytes] = {}
        self.parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._part_begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._part_data,
                "on_part_end": self._part_end,
                "on_end": self._end,
            },
        )

    def _part_begin(self) -> None:
        self._headers = {}

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[bytes(self._header).lower()] = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _headers_finished(self) -> None:
        self.seen.append(_Begin(_part_of(self._headers)))

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self.seen.append(_Data(data[start:end]))

    def _part_end(self) -> None:
        self.seen.append(_End())

    def _end(self) -> None:
        self.finished = True


class MultipartUpload:
    """One request body with at most one file."""

    def __init__(self, content_type: str, body: AsyncIterator[bytes]) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise InvalidInputError(
                "send the file as multipart/form-data",
                errors=[FieldError(field="file", code="missing", message="no file was sent")],
            )
        self._body = body
        try:
            self._events = _Events(boundary)
        except FormParserError as exc:
            raise InvalidInputError(f"the multipart boundary does not fit: {exc}") from exc

    async def read(
        self, *, file_field: str, limit_bytes: int, store: Store, instead: str | None = None
    ) -> Mapping[str, str]:
        """Read the body to its end: the file into `store`, the other fields into the answer.

        A body without a file has the field `instead`.

        Raises InvalidInputError for a body that is no multipart or a field that comes twice,
        UploadTooLargeError when the file grows over the limit, UploadCutShortError when the
        body ends too early, and whatever `store` raises.
        """
        fields: dict[str, str] = {}
        seen_file = False
        events = self._next_events()
        async for event in events:
            if not isinstance(event, _Begin):
                raise UploadCutShortError("the multipart body does not begin with a part")
            part = event.part
            if part.name == file_field and part.file_name is not None:
                if seen_file:
                    raise InvalidInputError.of(part.name, "repeated", "send one file")
                seen_file = True
                await store(part.file_name, _limited(_data_of(events), limit_bytes))
            else:
                if part.name in fields:
                    raise InvalidInputError.of(part.name, "repeated", "send this field once")
                if len(fields) == FIELDS_LIMIT:
                    raise InvalidInputError(f"send at most {FIELDS_LIMIT} fields")
                fields[part.name] = await _text_of(part, _data_of(events))
        if not self._events.finished:
            raise UploadCutShortError("the body ended before its last boundary; send it again")
        if seen_file and instead in fields:
            raise InvalidInputError.of(file_field, "repeated", f"send it or `{instead}`, not both")
        if not seen_file and instead not in fields:
            raise InvalidInputError.of(file_field, "missing", "send a file in this field")
        return fields

    async def _next_events(self) -> AsyncIterator[_Event]:
        async for chunk in self._body:
            try:
                self._events.parser.write(chunk)
            except FormParserError as exc:
                raise InvalidInputError(f"the multipart body cannot be read: {exc}") from exc
            seen, self._events.seen = self._events.seen, []
            for event in seen:
                yield event


async def _data_of(events: AsyncIterator[_Event]) -> AsyncIterator[bytes]:
    async for event in events:
        if isinstance(event, _End):
            return
        if isinstance(event, _Data):
            yield event.data
    raise UploadCutShortError("the body ended in the middle of a part; send it again")


async def _limited(data: AsyncIterator[bytes], limit_bytes: int) -> AsyncIterator[bytes]:
    size_bytes = 0
    async for chunk in data:
        size_bytes += len(chunk)
        if size_bytes > limit_bytes:
            raise UploadTooLargeError(
                f"a file may have {limit_bytes} bytes", limit_bytes=limit_bytes
            )
        yield chunk


async def _text_of(part: _Part, data: AsyncIterator[bytes]) -> str:
    async for chunk in data:
        part.data += chunk
        if len(part.data) > FIELD_LIMIT_BYTES:
            raise InvalidInputError.of(
                part.name, "too_long", f"a field may have {FIELD_LIMIT_BYTES} bytes"
            )
    try:
        return part.data.decode()
    except UnicodeDecodeError as exc:
        raise InvalidInputError.of(part.name, "bad_encoding", "send text as UTF-8") from exc


def _part_of(headers: Mapping[bytes, bytes]) -> _Part:
    _, options = parse_options_header(headers.get(b"content-disposition", b""))
    name = options.get(b"name", b"").decode(errors="replace")
    file_name = options.get(b"filename")
    return _Part(name=name, file_name=None if file_name is None else plain_name(file_name))


def plain_name(sent: bytes) -> str:
    """A file name to be shown; it is never used as a path."""
    text = sent.decode(errors="replace").replace("\\", "/")
    name = "".join(letter for letter in PurePosixPath(text).name if letter.isprintable())
    return name[:FILE_NAME_LIMIT] or "upload"
