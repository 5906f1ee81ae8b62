"""Uploads: a file whole, or piece by piece as tus 1.0.0 says (https://tus.io/protocols/resumable-upload)."""

# ruff: noqa: FAST003 - the path says `{id}`, the function `upload_id`

import base64
import binascii
from datetime import datetime
from email.utils import format_datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Path, Query, Request, Response

from services.ingest.answers import UploadAnswer
from services.ingest.dependencies import Body, Importer, Process
from services.ingest.routes.forms import multipart_file
from services.ingest.routes.schemas import Limit
from services.ingest.service.multipart import plain_name
from services.ingest.service.uploads import ALGORITHMS, Checksum
from services.ingest.uploads.domain import Upload, UploadId
from services.ingest.uploads.errors import TusVersionError, UploadMediaTypeError
from shared.contracts.base import LARGEST_BIGINT, Page
from shared.errors import InvalidInputError
from shared.http.app import STREAMED
from shared.http.idempotency import not_idempotent
from shared.http.json_bodies import JsonRoute
from shared.http.paging import page

router = APIRouter(tags=["uploads"], route_class=JsonRoute)

TUS = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,termination,expiration,checksum"
PIECE = "application/offset+octet-stream"

PathId = Annotated[UUID, Path(alias="id")]
TusResumable = Annotated[str | None, Header(description="`1.0.0`, of clients that speak tus.")]
Offset = Annotated[int, Header(ge=0, le=LARGEST_BIGINT)]
UploadChecksum = Annotated[str | None, Header(description="`sha1` and the digest in base64.")]


@router.post(
    "/api/uploads",
    summary="Upload a file, or begin to",
    status_code=201,
    max_body_size=STREAMED,
    openapi_extra=multipart_file("The file, whole."),
)
@not_idempotent("a multipart body differs each time, and tus has offsets of its own")
async def uploads_create(
    process: Process,
    caller: Importer,
    body: Body,
    response: Response,
    tus_resumable: TusResumable = None,
    upload_length: Annotated[int | None, Header(ge=0, le=LARGEST_BIGINT)] = None,
    upload_metadata: Annotated[str | None, Header(max_length=8_192)] = None,
    upload_checksum: UploadChecksum = None,
) -> UploadAnswer:
    """Keep a file for a day, to look at it and to import it by `upload=<id>`.

    Send it as multipart `file`; or, with `Tus-Resumable`, its length and its bytes piece by piece.
    """
    if tus_resumable is None:
        upload, _ = await process.uploads.take(caller, body)
    else:
        _check_version(tus_resumable)
        if upload_length is None:
            raise InvalidInputError.of("Upload-Length", "missing", "send the file's size in bytes")
        name = _file_name(upload_metadata)
        upload = await process.uploads.begin(caller, file_name=name, size_bytes=upload_length)
        if body.media_type == PIECE:
            upload = await process.uploads.append(
                caller,
                upload.id,
                body.chunks,
                offset=0,
                checksum=None if upload_checksum is None else Checksum.parsed(upload_checksum),
            )
        _say_offset(response, upload)
    response.headers["Location"] = f"/api/uploads/{upload.id}"
    return UploadAnswer.of(upload)


@router.get("/api/uploads", summary="List uploads")
async def uploads_list(
    request: Request,
    process: Process,
    caller: Importer,
    before: Annotated[datetime | None, Query(description="Made before this time.")] = None,
    limit: Limit = 25,
) -> Page[UploadAnswer]:
    """Your uploads, newest first."""
    uploads = await process.uploads.page(caller, before=before, limit=limit)
    return page(request, uploads, UploadAnswer.of, by="before")


@router.options("/api/uploads", summary="What is known of tus", status_code=204)
async def uploads_options() -> Response:
    """The version and extensions of tus."""
    return Response(
        status_code=204,
        headers={
            "Tus-Resumable": TUS,
            "Tus-Version": TUS,
            "Tus-Extension": EXTENSIONS,
            "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
        },
    )


@router.get("/api/uploads/{id}", summary="Look at an upload")
async def uploads_read(process: Process, caller: Importer, upload_id: PathId) -> UploadAnswer:
    """How much of it has come; it is kept for another day."""
    return UploadAnswer.of(await process.uploads.look(caller, UploadId(upload_id)))


@router.head("/api/uploads/{id}", summary="Where an upload goes on")
async def uploads_offset(
    process: Process, caller: Importer, upload_id: PathId, tus_resumable: TusResumable = None
) -> Response:
    """`Upload-Offset` and `Upload-Length`, as tus has them."""
    _check_version(tus_resumable)
    upload = await process.uploads.look(caller, UploadId(upload_id))
    response = Response(headers={"Cache-Control": "no-store"})
    _say_offset(response, upload)
    response.headers["Upload-Length"] = str(upload.size_bytes)
    return response


@router.patch(
    "/api/uploads/{id}",
    summary="Go on with an upload",
    status_code=204,
    max_body_size=STREAMED,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {PIECE: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def uploads_append(
    process: Process,
    caller: Importer,
    upload_id: PathId,
    body: Body,
    upload_offset: Offset,
    tus_resumable: TusResumable = None,
    upload_checksum: UploadChecksum = None,
) -> Response:
    """Add bytes at `Upload-Offset`; what came before the connection broke is kept.

    409 where the upload goes on elsewhere, 460 where the bytes do not fit their checksum.
    """
    _check_version(tus_resumable)
    if body.media_type != PIECE:
        raise UploadMediaTypeError(f"send the bytes as {PIECE}")
    upload = await process.uploads.append(
        caller,
        UploadId(upload_id),
        body.chunks,
        offset=upload_offset,
        checksum=None if upload_checksum is None else Checksum.parsed(upload_checksum),
    )
    response = Response(status_code=204)
    _say_offset(response, upload)
    return response


@router.delete("/api/uploads/{id}", summary="Remove an upload", status_code=204)
async def uploads_delete(process: Process, caller: Importer, upload_id: PathId) -> Response:
    """Remove it and its bytes; imports that were made from it have a copy of their own."""
    await process.uploads.remove(caller, UploadId(upload_id))
    return Response(status_code=204, headers={"Tus-Resumable": TUS})


def _check_version(version: str | None) -> None:
    if version != TUS:
        raise TusVersionError(
            f"send `Tus-Resumable: {TUS}`, the version that is spoken here",
            headers={"Tus-Version": TUS},
        )


def _say_offset(response: Response, upload: Upload) -> None:
    response.headers["Tus-Resumable"] = TUS
    response.headers["Upload-Offset"] = str(upload.received_bytes)
    response.headers["Upload-Expires"] = format_datetime(upload.expires_at, usegmt=True)


def _file_name(metadata: str | None) -> str:
    """The value of `filename` in `Upload-Metadata`: keys and base64 values, comma-separated."""
    for pair in (metadata or "").split(","):
        key, _, value = pair.strip().partition(" ")
        if key in ("filename", "name"):
            try:
                return plain_name(base64.b64decode(value, validate=True))
            except binascii.Error as exc:
                raise InvalidInputError.of(
                    "Upload-Metadata", "invalid", "send its values as base64"
                ) from exc
    return "upload"
