"""The file of a feed fetched by HTTP, or from S3, into storage, anew at each attempt."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from yarl import URL

from services.ingest.connections.domain import Login
from services.ingest.connections.guard import Guard
from services.ingest.connections.s3 import S3Object, explained, signed
from services.ingest.connections.web import (
    AnswerError,
    Download,
    Explain,
    Validators,
    checked_url,
    download,
    guarded_session,
)
from services.ingest.feeds.domain import HttpFile, S3File, SeenFile
from services.ingest.feeds.errors import FileAwayError, PullFailedError
from services.ingest.read.arriving import ArrivingFile
from services.ingest.runs import worked
from services.ingest.storage import Storage, new_upload_path
from services.ingest.work.attempt import Attempt

NAMELESS = "download"


@dataclass(frozen=True, slots=True)
class Pulled:
    """A file that is in storage, and what identifies it."""

    path: str
    size_bytes: int
    seen: SeenFile


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for: a URL, which may be a secret, and the headers that go with it."""

    url: URL = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    explain: Explain | None = None


def asked_of(origin: HttpFile, headers: Mapping[str, str]) -> Asked:
    """A file of a web server; raises UrlRefusedError."""
    return Asked(checked_url(origin.url, field_name="from.url"), headers)


async def asked_of_s3(origin: S3File, login: Login) -> Asked:
    """An object of S3."""
    which = S3Object.parsed(origin.url, field_name="from.url")
    return Asked(await signed(login, which), explain=explained)


async def pulled(
    attempt: Attempt,
    asked: Asked,
    last: SeenFile | None,
    *,
    guard: Guard,
    limit_bytes: int,
) -> Pulled | None:
    """Fetch the file, unless the server says that it is the `last` one: then None.

    Raises FileAwayError where trying again may help, PullFailedError where it will not,
    WrongFileKindError for what is no file of rows, FencedOutError.
    """
    validators = Validators() if last is None else Validators(last.etag, last.last_modified)
    try:
        async with (
            guarded_session(guard) as session,
            download(
                session,
                asked.url,
                headers=asked.headers,
                validators=validators,
                limit_bytes=limit_bytes,
                explain=asked.explain,
            ) as answer,
        ):
            if answer.unchanged and last is not None:
                return None
            if answer.unchanged:
                raise PullFailedError("the server says that the file is unchanged, unasked")
            return await _stored(attempt, answer)
    except AnswerError as exc:
        if exc.again:
            raise FileAwayError(str(exc)) from exc
        raise PullFailedError(f"{exc}; nothing was loaded") from exc


async def _stored(attempt: Attempt, answer: Download) -> Pulled:
    file, path = ArrivingFile(), new_upload_path()
    file.name = answer.file_name or NAMELESS
    storage, run = attempt.storage, attempt.run
    await storage.put(path, file.through(answer.chunks()))
    await worked.note_upload(
        attempt.bookkeeping, run, path=path, file_name=file.name, size_bytes=file.size_bytes
    )
    await _forget(storage, run.upload_path)
    attempt.run = replace(run, upload_path=path, file_name=file.name, bytes_total=file.size_bytes)
    seen = SeenFile(
        file.digest.hexdigest(),
        run.id,
        etag=answer.validators.etag,
        last_modified=answer.validators.last_modified,
    )
    return Pulled(path, file.size_bytes, seen)


async def _forget(storage: Storage, former: str | None) -> None:
    """Delete what an attempt before this one fetched."""
    if former is not None:
        await storage.delete(former)
