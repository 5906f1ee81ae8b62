"""The resource face of imports, and what peers ask."""

# ruff: noqa: FAST003 - the path says `{id}`, the function `import_id`

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from services.ingest.dependencies import Body, Importer, Peer, RequestKey, State
from services.ingest.domain import Run
from services.ingest.domain import State as RunState
from services.ingest.routes.answering import accepted
from services.ingest.routes.following import progress_events
from services.ingest.routes.forms import import_request, multipart
from services.ingest.routes.schemas import (
    ImportAnswer,
    ImportForm,
    Limit,
    RejectAnswer,
    summary_of,
)
from services.ingest.runs.asked import RunFilter
from shared.contracts.base import Page, StorableText
from shared.contracts.catalog import LARGEST_BIGINT
from shared.contracts.ingest import ImportSummaries
from shared.http.idempotency import not_idempotent

router = APIRouter(tags=["imports"])
internal = APIRouter(prefix="/internal", include_in_schema=False)

ImportIdPath = Annotated[int, Path(alias="id", ge=1, le=LARGEST_BIGINT)]
LARGEST_INTEGER = 2**31 - 1
EXAMPLE = {"table": "Customer", "mode": "append", "on_error": "skip", "null_values": "NA,-"}


@router.post(
    "/api/imports",
    summary="Import a file into a table",
    status_code=202,
    openapi_extra=multipart(ImportForm, example=EXAMPLE),
)
@not_idempotent("a multipart body differs each time; its import's row keeps the key")
async def imports_create(
    body: Body, caller: Importer, state: State, response: Response, request_key: RequestKey
) -> ImportAnswer:
    """Take a CSV, JSON or NDJSON file (plain, gzip or zstd) and queue its import.

    The same bytes by the same caller into the same table with the same options, while one is
    queued or running, is the same import.
    """
    run = await state.intake.submit_file(caller, body, import_request, request_key=request_key)
    return accepted(run, response)


@router.get("/api/imports", summary="List imports")
async def imports_list(
    caller: Importer,
    state: State,
    run_state: Annotated[RunState | None, Query(alias="state")] = None,
    table: StorableText | None = None,
    before: Annotated[
        int | None, Query(ge=0, le=LARGEST_BIGINT, description="Ids below this one.")
    ] = None,
    limit: Limit = 25,
) -> Page[ImportAnswer]:
    """Your imports (an admin's: everyone's), newest first."""
    wanted = RunFilter(state=run_state, table=table, before=before)
    runs = await state.steering.page(wanted, viewer=caller, limit=limit + 1)
    filters = {"state": run_state, "table": table, "limit": limit}
    more = {**filters, "before": runs[limit - 1].id} if len(runs) > limit else None
    now = datetime.now(UTC)
    return Page[ImportAnswer](
        items=[ImportAnswer.of_run(run, now=now) for run in runs[:limit]],
        next=_path("/api/imports", more),
    )


async def seen_import(import_id: ImportIdPath, caller: Importer, state: State) -> Run:
    """The import of the path; raises NotFoundError when the caller may not see it."""
    return await state.steering.look_at(import_id, viewer=caller)


SeenImport = Annotated[Run, Depends(seen_import)]


@router.get("/api/imports/{id:int}", summary="Look at an import")
async def imports_read(run: SeenImport) -> ImportAnswer:
    """What was asked for, how far it is, what became of it."""
    return ImportAnswer.of_run(run, now=datetime.now(UTC))


@router.get(
    "/api/imports/{id:int}/events",
    summary="Follow an import",
    response_class=EventSourceResponse,
)
async def imports_events(
    run: SeenImport,
    caller: Importer,
    state: State,
    last_event_id: Annotated[int | None, Header()] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events: `progress` while it changes, then `done`; each holds the import."""

    async def look() -> Run:
        return await state.steering.look_at(run.id, viewer=caller)

    events = progress_events(look, after=last_event_id, stopping=state.stopping)
    async for event in events:
        yield event


@router.get(
    "/api/imports/{id:int}/errors",
    summary="Which rows were refused",
)
async def imports_errors(
    import_id: ImportIdPath,
    caller: Importer,
    state: State,
    after: Annotated[
        int, Query(ge=0, le=LARGEST_INTEGER, description="Where the page before ended.")
    ] = 0,
    limit: Limit = 100,
) -> Page[RejectAnswer]:
    """The first 1,000 refused rows, in the order of the file; `/rejects` has them all."""
    kept = await state.steering.rejects_of(import_id, viewer=caller, after=after, limit=limit + 1)
    more = {"after": kept[limit - 1].ordinal, "limit": limit} if len(kept) > limit else None
    return Page[RejectAnswer](
        items=[RejectAnswer.of(reject) for reject in kept[:limit]],
        next=_path(f"/api/imports/{import_id}/errors", more),
    )


@router.get(
    "/api/imports/{id:int}/rejects",
    summary="The refused rows as CSV",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {}}, "description": "The refused rows."}},
)
async def imports_rejects(run: SeenImport, caller: Importer, state: State) -> StreamingResponse:
    """The original columns, then `_line,_column,_code,_message`; correct and send them again."""
    chunks = await state.steering.rejects_file(run.id, viewer=caller)
    name = f'attachment; filename="import-{run.id}-rejects.csv"'
    return StreamingResponse(
        chunks, media_type="text/csv; charset=utf-8", headers={"Content-Disposition": name}
    )


@router.post(
    "/api/imports/{id:int}/cancel",
    summary="Cancel an import",
    status_code=202,
)
async def imports_cancel(
    import_id: ImportIdPath,
    caller: Importer,
    state: State,
    request_key: RequestKey,
) -> ImportAnswer:
    """End a queued or running import; nothing of it is loaded. 409 when it is over already."""
    return await state.steering.cancel(import_id, caller=caller, request_key=request_key)


@router.post(
    "/api/imports/{id:int}/retry",
    summary="Try an import again",
    status_code=202,
)
async def imports_retry(
    import_id: ImportIdPath,
    caller: Importer,
    state: State,
    request_key: RequestKey,
) -> ImportAnswer:
    """Queue a failed or cancelled import again; 409 in any other state."""
    return await state.steering.retry(import_id, caller=caller, request_key=request_key)


@internal.get("/imports")
async def internal_imports(
    _peer: Peer,
    state: State,
    table: StorableText | None = None,
    etl: StorableText | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
) -> ImportSummaries:
    """The newest imports into a table, or by an ETL, for our peers."""
    runs = await state.steering.feeding(table=table, etl=etl, limit=limit)
    return ImportSummaries(items=tuple(summary_of(run) for run in runs))


def _path(path: str, query: Mapping[str, object] | None) -> str | None:
    if query is None:
        return None
    given = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given)}"
