"""The verb face: the call that users of the older catalog know."""

from collections.abc import AsyncIterator

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import TypeAdapter

from services.catalog.dependencies import NO_SCHEMA, EtlName, Process, Reader
from services.catalog.domain import TableKey
from services.catalog.schemas.browsing import EtlTable, EtlTables
from shared.http.json_bodies import JsonRoute

router = APIRouter(prefix="/api", tags=["verbs"], route_class=JsonRoute)

tables = TypeAdapter(list[EtlTable])
name = TypeAdapter(str)


@router.get(
    "/etl/{etl_name:segment}/tables", response_model=EtlTables, summary="All tables of an ETL"
)
async def etl_tables_action(
    catalog: Process, _caller: Reader, etl_name: EtlName
) -> StreamingResponse:
    """Every table that the ETLs of a name feed, each schema and table once; 404 for none."""
    pieces = await catalog.lists.tables_of_etl(etl_name)
    return StreamingResponse(_json(etl_name, pieces), media_type="application/json")


async def _json(etl_name: str, pieces: AsyncIterator[list[TableKey]]) -> AsyncIterator[bytes]:
    """An EtlTables as JSON, piece by piece: an ETL may have a million tables."""
    yield b'{"name":' + name.dump_json(etl_name) + b',"tables":['
    separator = b""
    async for piece in pieces:
        answer = [EtlTable(name=key.name, schema_name=key.schema or NO_SCHEMA) for key in piece]
        yield separator + tables.dump_json(answer, by_alias=True)[1:-1]
        separator = b","
    yield b"]}"
