"""OpenLineage: the calls that its clients make, at the paths that they know (`catalog:write`)."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from services.catalog.dependencies import Process, Writer
from services.catalog.pipeline.lineage_bodies import batch_of, event_of, received_body
from services.catalog.schemas.runs import BatchAnswer, FailedEvent, ReceivedAnswer
from shared.http.app import MIB
from shared.http.idempotency import not_idempotent
from shared.http.json_bodies import JsonRoute

BODY_LIMIT_BYTES = 64 * MIB
SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json"

router = APIRouter(
    prefix="/api/v1/lineage",
    tags=["openlineage"],
    max_body_size=BODY_LIMIT_BYTES,
    route_class=JsonRoute,
)

SentBody = Annotated[bytes, Depends(received_body(BODY_LIMIT_BYTES))]


def _body(schema: dict[str, Any], example: object) -> dict[str, Any]:
    """The body as OpenAPI describes it; it may come in gzip, so FastAPI must not read it."""
    content = {"application/json": {"schema": schema, "example": example}}
    return {"requestBody": {"required": True, "content": content}}


EVENT: dict[str, Any] = {
    "type": "object",
    "description": f"A RunEvent, JobEvent or DatasetEvent of OpenLineage ({SPEC}).",
    "required": ["eventTime"],
    "properties": {"eventTime": {"type": "string", "format": "date-time"}},
}
EXAMPLE = {
    "eventTime": "2026-11-28T21:22:58Z",
    "eventType": "COMPLETE",
    "run": {"runId": "01a2240a-336f-7775-86e8-2c1e10db91b9"},
    "job": {"namespace": "dbt", "name": "shop.load_customers"},
    "inputs": [{"namespace": "postgres://db.example.com:5432", "name": "shop.public.customers"}],
    "outputs": [{"namespace": "postgres://wh.example.com:5432", "name": "wh.data.Customer"}],
    "producer": "https://example.com/producer",
    "schemaURL": f"{SPEC}#/$defs/RunEvent",
}


@router.post("", status_code=200, summary="Send an event", openapi_extra=_body(EVENT, EXAMPLE))
@not_idempotent("an event is idempotent by its run, type and time")
async def lineage_event(catalog: Process, _caller: Writer, body: SentBody) -> ReceivedAnswer:
    """Receive a RunEvent, JobEvent or DatasetEvent, in any order and as often as it comes.

    It appears in the catalog a moment later. 400 `event_unreadable` for what is no event, 422 for
    one in which an object has a member twice.
    """
    async with catalog.lineage.reading:
        event = await asyncio.to_thread(event_of, body)
    await catalog.lineage.receive([event])
    return ReceivedAnswer()


@router.post(
    "/batch",
    status_code=200,
    summary="Send many events",
    openapi_extra=_body({"type": "array", "items": EVENT}, [EXAMPLE]),
)
@not_idempotent("events are idempotent by their run, type and time")
async def lineage_batch(catalog: Process, _caller: Writer, body: SentBody) -> BatchAnswer:
    """Receive an array of events; those that cannot be read are named, the others are accepted."""
    async with catalog.lineage.reading:
        batch = await asyncio.to_thread(batch_of, body)
    await catalog.lineage.receive(batch.events)
    return BatchAnswer.of_counts(
        received=len(batch.events) + len(batch.failed),
        failed=[FailedEvent(index=place, reason=reason) for place, reason in batch.failed],
    )
