"""Imports: submitted as a file or from a database, followed, cancelled, tried again, undone."""

# ruff: noqa: FAST003 - the path says `{id}`, the function `import_id`

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi import Body as BodyField
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from services.ingest.answers import ImportAnswer, RejectAnswer, import_answer
from services.ingest.dependencies import Body, Importer, Process, RequestKey
from services.ingest.domain.run import Run, RunFilter, State
from services.ingest.routes.following import progress_events
from services.ingest.routes.forms import import_request, json_of, multipart, or_json
from services.ingest.routes.schemas import ImportForm, Limit, UndoRequest, UploadImport
from services.ingest.routes.schemas_of_connections import IMPORT_EXAMPLES, DatabaseImport
from services.ingest.service.watches import Watch
from shared.contracts.base import Flag, Id, Page, StorableText
from shared.http.app import STREAMED
from shared.http.idempotency import not_idempotent
from shared.http.json_bodies import JsonRoute
from shared.http.paging import page

router = APIRouter(tags=["imports"], route_class=JsonRoute)

ImportId = Annotated[Id, Path(alias="id")]
ExcelSafe = Annotated[
    Flag, Query(description="Neutralise cells that a spreadsheet program reads as formulas.")
]
LARGEST_INTEGER = 2**31 - 1
EXAMPLE = {"table": "Customer", "mode": "append", "on_error": "skip", "null_values": "NA,-"}


def accepted(run: Run, response: Response) -> ImportAnswer:
    """The import as it stands, and in `Location` where to follow it."""
    response.headers["Location"] = f"/api/imports/{run.id}"
    return import_answer(run)


@router.post(
    "/api/imports",
    summary="Import a file into a table",
    status_code=202,
    max_body_size=STREAMED,
    openapi_extra=or_json(multipart(ImportForm, example=EXAMPLE), UploadImport),
)
@not_idempotent("a multipart body differs each time; its import's row keeps the key")
async def imports_create(
    process: Process, caller: Importer, body: Body, response: Response, request_key: RequestKey
) -> ImportAnswer:
    """Take a file (CSV, JSON, a workbook, Parquet, Arrow; compressed or in an archive).

    `upload` names a file that was uploaded before, in place of `file`; such a body may be JSON,
    with lists as arrays and `mapping` as an object. The same bytes by the same caller into the
    same table with the same options, while one is queued or running, is the same import.
    """
    if body.media_type == "application/json":
        given = await json_of(body, UploadImport)
        run = await process.intake.submit_upload(
            caller, given.upload_id(), given.request(), request_key=request_key
        )
    else:
        run = await process.intake.submit_file(
            caller, body, import_request, request_key=request_key
        )
    return accepted(run, response)


@router.post(
    "/api/imports/database",
    summary="Import a table or query of another database",
    status_code=202,
    openapi_extra={"requestBody": {"content": {"application/json": {"examples": IMPORT_EXAMPLES}}}},
)
async def imports_database(
    process: Process, caller: Importer, given: DatabaseImport, response: Response
) -> ImportAnswer:
    """Queue the import of rows from PostgreSQL or Oracle.

    The log-in and the columns are tried first: 422 says within 10 s, in plain words, what does
    not work. The rows come out of one consistent snapshot of the source.
    """
    run = await process.databases.submit(
        caller, given.request(), given.connection(), given.selection()
    )
    return accepted(run, response)


@router.get("/api/imports", summary="List imports")
async def imports_list(
    request: Request,
    process: Process,
    caller: Importer,
    state: State | None = None,
    table: StorableText | None = None,
    before: Annotated[Id | None, Query(description="Ids below this one.")] = None,
    limit: Limit = 25,
) -> Page[ImportAnswer]:
    """Your imports (an admin's: everyone's), newest first."""
    which = RunFilter(state=state, table=table, before=before)
    runs = await process.control.page(caller, which, limit=limit)
    return page(request, runs, import_answer, by="before")


@router.get("/api/imports/{id:int}", summary="Look at an import")
async def imports_read(process: Process, caller: Importer, import_id: ImportId) -> ImportAnswer:
    """What was asked for, how far it is, what became of it."""
    return import_answer(await process.control.look(caller, import_id))


async def watched_import(
    process: Process, caller: Importer, import_id: ImportId
) -> AsyncIterator[Watch]:
    """The import of the path, followed until its stream ends.

    Raises NotFoundError and TooManyStreamsError, before the stream begins.
    """
    run = await process.control.look(caller, import_id)
    with process.watches.watch(caller, run) as watch:
        yield watch


@router.get(
    "/api/imports/{id:int}/events",
    summary="Follow an import",
    response_class=EventSourceResponse,
)
async def imports_events(
    process: Process,
    caller: Importer,
    watch: Annotated[Watch, Depends(watched_import)],
    last_event_id: Annotated[int | None, Header()] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events: `progress` while it changes, then `done`; each holds the import."""

    async def look() -> Run:
        return await process.control.look(caller, watch.run.id)

    events = progress_events(look, watch, after=last_event_id, stopping=process.stopping)
    async for event in events:
        yield event


@router.get("/api/imports/{id:int}/errors", summary="Which rows were refused")
async def imports_errors(
    request: Request,
    process: Process,
    caller: Importer,
    import_id: ImportId,
    after: Annotated[
        int, Query(ge=0, le=LARGEST_INTEGER, description="Where the page before ended.")
    ] = 0,
    limit: Limit = 100,
) -> Page[RejectAnswer]:
    """The first 1,000 refused rows, in the order of the file; `/rejects` has them all."""
    rejects = await process.control.rejects(caller, import_id, after=after, limit=limit)
    return page(request, rejects, RejectAnswer.of, by="after")


@router.get(
    "/api/imports/{id:int}/rejects",
    summary="The refused rows as CSV",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {"text/csv": {"schema": {"type": "string"}}},
            "description": "The refused rows.",
        }
    },
)
async def imports_rejects(
    process: Process, caller: Importer, import_id: ImportId, *, excel_safe: ExcelSafe = False
) -> StreamingResponse:
    """The original columns, then `_line,_column,_code,_message`; correct and send them again."""
    chunks = await process.control.rejects_file(caller, import_id, excel_safe=excel_safe)
    name = f'attachment; filename="import-{import_id}-rejects.csv"'
    return StreamingResponse(
        chunks, media_type="text/csv; charset=utf-8", headers={"Content-Disposition": name}
    )


@router.post("/api/imports/{id:int}/cancel", summary="Cancel an import", status_code=202)
async def imports_cancel(process: Process, caller: Importer, import_id: ImportId) -> ImportAnswer:
    """End a queued or running import; nothing of it is loaded. 409 when it is over already."""
    return import_answer(await process.control.cancel(caller, import_id))


@router.post("/api/imports/{id:int}/retry", summary="Try an import again", status_code=202)
async def imports_retry(process: Process, caller: Importer, import_id: ImportId) -> ImportAnswer:
    """Queue a failed or cancelled import again; 409 in any other state."""
    return import_answer(await process.control.retry(caller, import_id))


@router.post("/api/imports/{id:int}/undo", summary="Undo an import", status_code=202)
async def imports_undo(
    process: Process,
    caller: Importer,
    import_id: ImportId,
    response: Response,
    given: Annotated[UndoRequest, BodyField(default_factory=UndoRequest)],
) -> ImportAnswer:
    """Take back what an import and its corrections did, all of it or nothing, by a new import.

    Rows that it inserted go; rows that it overwrote or removed come back with their ids. Records
    that were edited, deleted or overwritten since are counted first: `edited` says what is to
    become of them, and without it they are answered with 409, ten of them by name.
    """
    return accepted(await process.undos.submit(caller, import_id, given.edited), response)
