"""Exports of a table's records as files."""

from fastapi import APIRouter, Request, Response

from services.records.dependencies import Process, RecordReader, TableName
from services.records.face import openapi_parts as parts
from services.records.face.export_stream import CONTENT, ExportResponse, wants_gzip
from shared.http.json_bodies import JsonRoute

router = APIRouter(prefix="/api/tables/{table:segment}", tags=["records"], route_class=JsonRoute)


@router.get(
    "/export",
    response_class=Response,
    summary="Export records",
    openapi_extra=parts.EXPORT,
    responses={
        200: {
            "description": "The file; gzipped for a client that accepts that encoding.",
            "content": CONTENT,
        }
    },
)
async def records_export(
    service: Process, caller: RecordReader, table: TableName, request: Request
) -> Response:
    """All records that the filters select, streamed as a file.

    A workbook (xlsx) holds 1,048,575 records; more are 422. Arrow is an IPC file.
    """
    pairs = request.query_params.multi_items()
    gzip = wants_gzip(request.headers.get("Accept-Encoding", ""))
    export = await service.exports.start(caller, table, pairs, gzip=gzip)
    settings = service.settings
    return ExportResponse(
        export,
        stall_s=settings.export_stall_s,
        least_bytes_per_s=settings.export_least_bytes_per_s,
    )
