"""The verb face: the call that users of the older catalog know."""

from collections.abc import AsyncIterator

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import TypeAdapter

from services.catalog.dependencies import EtlName, Reader, State
from services.catalog.schemas import EtlTable, EtlTables
from services.catalog.service import browsing

router = APIRouter(prefix="/api", tags=["verbs"])

piece_of_tables = TypeAdapter(list[EtlTable])
name_of_etl = TypeAdapter(str)


@router.get(
    "/etl/{etl_name:segment}/tables", response_model=EtlTables, summary="All tables of an ETL"
)
async def etl_tables_action(state: State, _caller: Reader, etl_name: EtlName) -> StreamingResponse:
    """Every table that the ETL feeds, by schema and name; 404 for an unknown ETL."""
    etl_id = await browsing.require_etl(state.engine, etl_name)
    body = _written(etl_name, browsing.stream_tables(state.engine, etl_id))
    return StreamingResponse(body, media_type="application/json")


async def _written(etl_name: str, pieces: AsyncIterator[list[EtlTable]]) -> AsyncIterator[bytes]:
    """An EtlTables as JSON, piece by piece: an ETL may have a million tables."""
    yield b'{"name":' + name_of_etl.dump_json(etl_name) + b',"tables":['
    separator = b""
    async for piece in pieces:
        yield separator + piece_of_tables.dump_json(piece, by_alias=True)[1:-1]
        separator = b","
    yield b"]}"
