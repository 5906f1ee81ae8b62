"""Exports of a table's records as files."""

from fastapi import APIRouter, Request, Response

from services.records.dependencies import RecordReader, State, TableName
from services.records.face import openapi_parts as parts
from services.records.face.export_stream import MEDIA_TYPES, ExportResponse, wants_gzip
from services.records.service import exports

router = APIRouter(prefix="/api/tables/{table:segment}", tags=["records"])


@router.get(
    "/export",
    response_class=Response,
    summary="Export records",
    openapi_extra=parts.EXPORT,
    responses={
        200: {
            "description": "The file; gzipped for a client that accepts that encoding.",
            "content": {media_type: {} for media_type in MEDIA_TYPES.values()},
        }
    },
)
async def records_export(
    state: State, caller: RecordReader, table: TableName, request: Request
) -> Response:
    """All records that the filters select, streamed as CSV, NDJSON, JSON or Parquet."""
    export = await exports.start(
        state.stores,
        caller,
        table,
        request.query_params.multi_items(),
        gzip=wants_gzip(request.headers.get("Accept-Encoding", "")),
    )
    return ExportResponse(export, stall_s=state.settings.export_stall_s)
