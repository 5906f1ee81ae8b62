"""The aliases by which routes ask for the process, the caller, the body and keys."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Header, Request, Security
from starlette.requests import ClientDisconnect

from services.ingest.errors import UploadCutShortError
from services.ingest.process import IngestProcess
from services.ingest.service.receive import IncomingBody
from shared.contracts.auth import Caller, Scope
from shared.http.caller import authenticated
from shared.store.idempotency import HEADER, KEY_LIMIT, checked_key


async def _process(request: Request) -> IngestProcess:
    process: IngestProcess = request.state.process
    return process


async def _incoming(request: Request) -> IncomingBody:
    length = request.headers.get("content-length", "")
    return IncomingBody(
        content_type=request.headers.get("content-type", ""),
        content_length=int(length) if length.isdecimal() else None,
        chunks=_chunks(request),
    )


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect as exc:
        raise UploadCutShortError("the client went away in mid-upload") from exc


async def _request_key(
    key: Annotated[
        str | None,
        Header(
            alias=HEADER,
            min_length=1,
            max_length=KEY_LIMIT,
            description="Kept 24 h: the same request again is answered with what it made before.",
        ),
    ] = None,
) -> str | None:
    return None if key is None else checked_key(key)


async def still_visible(request: Request, caller: Caller) -> None:
    """Raise NotFoundError where the caller may no longer see what a first answer was about."""
    process: IngestProcess = request.state.process
    if request.scope["route"].path.startswith("/api/feeds/"):
        await process.feeds.look(caller, request.path_params["name"])
    if (number := request.path_params.get("id")) is None:
        return
    if request.scope["route"].path.startswith("/api/imports/"):
        await process.control.look(caller, number)
    elif request.scope["route"].path.startswith("/api/webhooks/"):
        await process.webhooks.look(caller, number)
    else:
        await process.saved.look(caller, number)


Process = Annotated[IngestProcess, Depends(_process)]
Body = Annotated[IncomingBody, Depends(_incoming)]
"""The request's body, not read yet."""
Importer = Annotated[Caller, Security(authenticated, scopes=[Scope.IMPORTS_WRITE])]
Cataloguer = Annotated[Caller, Security(authenticated, scopes=[Scope.CATALOG_WRITE])]
Peer = Annotated[Caller, Security(authenticated, scopes=[Scope.INTERNAL])]
RequestKey = Annotated[str | None, Depends(_request_key)]
""" `Idempotency-Key` of an upload, whose body is never the same twice."""
