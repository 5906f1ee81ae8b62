"""What other services report (scope `internal`); the gateway does not route these paths."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.requests import ClientDisconnect

from services.catalog.dependencies import Peer, Process
from services.catalog.errors import StreamBrokenError
from shared.contracts.base import Id
from shared.contracts.catalog import (
    CatalogName,
    EdgeSeen,
    EdgesSeen,
    EdgeUndone,
    MergeAnswer,
    TableEvent,
)
from shared.http.app import STREAMED
from shared.http.idempotency import not_idempotent
from shared.http.json_bodies import JsonRoute

router = APIRouter(prefix="/internal/catalog", tags=["internal"], route_class=JsonRoute)

ImportId = Annotated[Id, Query(description="The import that sends this.", examples=[42])]

MERGE_EXAMPLE = (
    '{"etl_name":"nightly","schema_name":"shop","table_name":"orders"}\n'
    '{"etl_name":"nightly","schema_name":"shop","table_name":"customers"}\n'
)
SCAN_EXAMPLE = (
    '{"schema_name":"shop","table_name":"orders","columns":'
    '[{"name":"id","type":"bigint","nullable":false}],"estimated_rows":120000}\n'
    '{"schema_name":"shop","whole":true}\n'
)


def _lines_of(contract: str, example: str) -> dict[str, Any]:
    """The body as OpenAPI describes it; FastAPI must not read it, because it may be huge."""
    schema = {"type": "string", "description": f"One {contract} as JSON per line."}
    content = {"application/x-ndjson": {"schema": schema, "example": example}}
    return {"requestBody": {"required": True, "content": content}}


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    """The body as it arrives; raises StreamBrokenError when the sender disconnects."""
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect as exc:
        raise StreamBrokenError("the sender disconnected; nothing of the stream was kept") from exc


@router.post("/table-events", status_code=204, summary="A table was created, renamed or dropped")
async def internal_catalog_table_events(catalog: Process, _peer: Peer, event: TableEvent) -> None:
    """Idempotent; may arrive late and out of order."""
    await catalog.events.table_event(event)


@router.post("/edges", status_code=204, summary="An ETL fed a table")
async def internal_catalog_edges(catalog: Process, _peer: Peer, edge: EdgeSeen) -> None:
    """Idempotent; schema, table and ETL are entered when unknown."""
    await catalog.events.edges_seen([edge])


@router.post("/edges/all", status_code=204, summary="ETLs fed tables")
async def internal_catalog_edges_all(catalog: Process, _peer: Peer, edges: EdgesSeen) -> None:
    """As each by itself; all of them or none."""
    await catalog.events.edges_seen(edges.edges)


@router.post("/edges/undone", status_code=204, summary="The only import of an edge was undone")
async def internal_catalog_edges_undone(catalog: Process, _peer: Peer, undone: EdgeUndone) -> None:
    """Idempotent; what the ETL has fed since stays."""
    await catalog.events.edge_undone(undone)


@router.post(
    "/merge",
    max_body_size=STREAMED,
    openapi_extra=_lines_of("CatalogTriple", MERGE_EXAMPLE),
    summary="Merge many triples",
)
@not_idempotent("a stream of peers, larger than memory; repeating it is harmless")
async def internal_catalog_merge(
    request: Request,
    catalog: Process,
    _peer: Peer,
    import_id: ImportId,
    etl: Annotated[CatalogName | None, Query(description="The ETL of lines without one.")] = None,
) -> MergeAnswer:
    """All lines or none, in one transaction; nothing is ever deleted. Repeating it is harmless."""
    merged = await catalog.merges.triples(_chunks(request), import_id=import_id, etl=etl)
    return MergeAnswer.of(merged)


@router.post(
    "/scan",
    max_body_size=STREAMED,
    openapi_extra=_lines_of("ScannedTable", SCAN_EXAMPLE),
    summary="Merge a scanned database",
)
@not_idempotent("a stream of peers, larger than memory; repeating it is harmless")
async def internal_catalog_scan(
    request: Request,
    catalog: Process,
    _peer: Peer,
    import_id: ImportId,
    etl: Annotated[CatalogName, Query(description="The ETL that scanned.")],
    namespace: Annotated[CatalogName | None, Query(description="The database.")] = None,
) -> MergeAnswer:
    """All tables or none, under one ETL; tables that are missing from this scan stay.

    Those of a schema that was seen whole have vanished.
    """
    merged = await catalog.merges.scan(
        _chunks(request), import_id=import_id, etl=etl, namespace=namespace
    )
    return MergeAnswer.of(merged)
