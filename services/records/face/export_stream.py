"""A file streamed to a client, and ended as soon as the client is gone."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from fastapi import Response
from starlette.types import Receive, Scope, Send

from services.records.query.export import ExportFormat
from services.records.service.exports import Export

MEDIA_TYPES = {
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.NDJSON: "application/x-ndjson",
    ExportFormat.JSON: "application/json",
    ExportFormat.PARQUET: "application/vnd.apache.parquet",
    ExportFormat.ARROW: "application/vnd.apache.arrow.file",
    ExportFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_BINARY = {"type": "string", "format": "binary"}
CONTENT: Mapping[str, Any] = {
    MEDIA_TYPES[form].partition(";")[0]: {"schema": schema}
    for form, schema in {
        # openapi-generator reads every format as the first one: bytes hold all of them.
        ExportFormat.PARQUET: _BINARY,
        ExportFormat.CSV: {"type": "string"},
        ExportFormat.NDJSON: {"type": "string"},
        ExportFormat.JSON: {"type": "array", "items": {"type": "object"}},
        ExportFormat.ARROW: _BINARY,
        ExportFormat.XLSX: _BINARY,
    }.items()
}
"""What an export is, for documents: generated clients read text as text and the rest as bytes."""


def wants_gzip(accept_encoding: str) -> bool:
    """Whether a client takes gzip, by its `Accept-Encoding` (RFC 9110, 12.5.3)."""
    for part in accept_encoding.lower().split(","):
        coding, _, weight = part.strip().partition(";")
        if coding.strip() in ("gzip", "x-gzip"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


class ExportResponse(Response):
    """Streams an export; a disconnect is noticed even while PostgreSQL has nothing to send yet."""

    def __init__(self, export: Export, *, stall_s: float, least_bytes_per_s: int) -> None:
        super().__init__(status_code=200, media_type=MEDIA_TYPES[export.format])
        del self.headers["Content-Length"]
        name = f"{export.table}.{export.format}"
        plain = name.encode("ascii", "replace").decode().replace("?", "_")
        self.headers["Content-Disposition"] = (
            f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"
        )
        self.headers["Vary"] = "Accept-Encoding"
        if export.gzip:
            self.headers["Content-Encoding"] = "gzip"
        self._export = export
        self._stall_s = stall_s
        self._least_bytes_per_s = least_bytes_per_s

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the end, or until the client is gone."""
        streaming = asyncio.create_task(self._stream(send))
        leaving = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait((streaming, leaving), return_when=asyncio.FIRST_COMPLETED)
            if streaming.done():
                streaming.result()
        finally:
            for task in (streaming, leaving):
                task.cancel()
            await asyncio.wait((streaming, leaving))
            await self._export.close()

    async def _stream(self, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        clock = asyncio.get_running_loop().time
        waited_s, taken = 0.0, 0
        async for piece in self._export.pieces:
            began = clock()
            # A client that stays and takes nothing must not keep a connection to PostgreSQL.
            async with asyncio.timeout(self._stall_s):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            waited_s += clock() - began
            taken += len(piece)
            if waited_s > self._stall_s and taken < self._least_bytes_per_s * waited_s:
                raise TimeoutError
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
