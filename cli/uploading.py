"""Sending a file as a stream: never whole in memory, and once although it may be sent twice."""

import io
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from cli.answers import Import
from cli.client import Client
from cli.errors import CommandError, ServerAwayError, UsageError

TRIES = 3
Tell = Callable[[int], None]
"""Told how many bytes of the file have gone out."""


@dataclass(frozen=True)
class Upload:
    """A file to be sent, or what comes through a pipe."""

    name: str
    content: IO[bytes]
    size_bytes: int | None
    """None for a pipe."""
    identity: str | None = None
    """Changes whenever the file does; None for a pipe."""

    def read(self, size: int = -1) -> bytes:
        """The next piece."""
        return self.content.read(size)


@contextmanager
def opened(file: str, *, name: str | None) -> Iterator[Upload]:
    """Open a file, or standard input for `-`; raises UsageError when it cannot be read."""
    if file == "-":
        yield Upload(name=name or "stdin", content=sys.stdin.buffer, size_bytes=None)
        return
    path = Path(file)
    try:
        content = path.open("rb")
    except OSError as exc:
        raise UsageError(f"{file} cannot be read ({exc.strerror})") from exc
    with content:
        status = os.fstat(content.fileno())
        regular = path.is_file()
        yield Upload(
            name=name or path.name,
            content=content,
            size_bytes=status.st_size if regular else None,
            identity=f"{path.resolve()} {status.st_size} {status.st_mtime_ns}" if regular else None,
        )


def submit(
    client: Client,
    upload: Upload,
    *,
    fields: Mapping[str, str],
    tell: Tell,
    path: str = "/api/imports",
) -> Import:
    """Send the file and its options; returns the accepted import.

    A file is sent again when the connection breaks. The idempotency key, and a boundary that
    makes the body the same each time, see to it that it is imported once. A pipe cannot be read
    twice, so there a broken connection is an error.
    """
    headers = {
        "Idempotency-Key": secrets.token_urlsafe(16),
        "Content-Type": f"multipart/form-data; boundary={secrets.token_hex(16)}",
    }
    for left in reversed(range(TRIES if upload.size_bytes is not None else 1)):
        # The library seeks to the start of what has `seek` and asks a file for its size; a pipe
        # has neither, and would be taken for an empty file.
        watched = cast(
            "IO[bytes]",
            _Watched(upload, tell) if upload.size_bytes is not None else _Pipe(upload, tell),
        )
        try:
            answer = client.send(
                "POST",
                path,
                data=fields,
                files={"file": (upload.name, watched, "application/octet-stream")},
                headers=headers,
            )
        except ServerAwayError:
            if not left:
                raise
            continue
        return Import.model_validate_json(answer.content)
    raise AssertionError("the last try returns or raises")


def submit_upload(client: Client, upload_id: str, *, fields: Mapping[str, Any]) -> Import:
    """Import a file that was uploaded before; sent again when the connection breaks."""
    headers = {"Idempotency-Key": secrets.token_urlsafe(16)}
    for left in reversed(range(TRIES)):
        try:
            answer = client.send(
                "POST", "/api/imports", body={**fields, "upload": upload_id}, headers=headers
            )
        except ServerAwayError:
            if not left:
                raise
            continue
        return Import.model_validate_json(answer.content)
    raise AssertionError("the last try returns or raises")


class _Pipe:
    """What can only be read, once."""

    def __init__(self, upload: Upload, tell: Tell) -> None:
        self._upload = upload
        self._tell = tell
        self._sent_bytes = 0
        self._ended = False

    def read(self, size: int = -1) -> bytes:
        if self._ended:
            # The token was refused after all, so the request is sent anew; an empty file is worse.
            raise CommandError("standard input cannot be sent twice; run the command again")
        piece = self._upload.read(size)
        self._ended = not piece
        self._sent_bytes += len(piece)
        self._tell(self._sent_bytes)
        return piece


class _Watched(_Pipe):
    """A file, which can be read again from its start."""

    def fileno(self) -> int:
        return self._upload.content.fileno()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._ended = False
        self._sent_bytes = self._upload.content.seek(offset, whence)
        return self._sent_bytes
