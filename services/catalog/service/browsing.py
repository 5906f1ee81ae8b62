"""Reading the catalog's lists, and all tables of an ETL."""

from collections.abc import AsyncIterator

from sqlalchemy.ext.asyncio import AsyncEngine

from services.catalog.domain import Position, Slice, Window, decode_position
from services.catalog.errors import EtlUnknownError
from services.catalog.repository import browsing, edges, lists
from services.catalog.schemas import (
    Count,
    EtlItem,
    EtlTable,
    ListQuery,
    SchemaItem,
    TableItem,
    TablesQuery,
)
from shared.errors import InvalidInputError


async def list_schemas(engine: AsyncEngine, query: ListQuery) -> Slice[SchemaItem]:
    """A page of schemas by name; raises InvalidInputError for a cursor that is none of ours."""
    window = _window(query, parts=1)
    async with engine.connect() as connection:
        return await lists.list_schemas(
            connection, window, q=query.q, counted=query.count is Count.EXACT
        )


async def list_tables(engine: AsyncEngine, query: TablesQuery) -> Slice[TableItem]:
    """A page of tables by schema and name; raises as `list_schemas`."""
    window = _window(query, parts=2)
    async with engine.connect() as connection:
        return await lists.list_tables(
            connection,
            window,
            q=query.q,
            schema=query.schema_name,
            dropped=query.dropped,
            counted=query.count is Count.EXACT,
        )


async def list_etls(engine: AsyncEngine, query: ListQuery) -> Slice[EtlItem]:
    """A page of ETLs by name; raises as `list_schemas`."""
    window = _window(query, parts=1)
    async with engine.connect() as connection:
        return await lists.list_etls(
            connection, window, q=query.q, counted=query.count is Count.EXACT
        )


async def require_etl(engine: AsyncEngine, name: str) -> int:
    """The id of an ETL; raises EtlUnknownError."""
    async with engine.connect() as connection:
        etl_id = await edges.find_etl_id(connection, name)
    if etl_id is None:
        raise EtlUnknownError(name)
    return etl_id


async def stream_tables(engine: AsyncEngine, etl_id: int) -> AsyncIterator[list[EtlTable]]:
    """All tables of an ETL by schema and name, piece by piece."""
    async with engine.connect() as connection:
        async for piece in browsing.stream_tables(connection, etl_id):
            yield piece


def position_of(cursor: str | None, *, parts: int) -> Position | None:
    """Where a list goes on; raises InvalidInputError for a cursor that is none of ours."""
    if cursor is None:
        return None
    try:
        return decode_position(cursor, parts=parts)
    except ValueError as exc:
        raise InvalidInputError.of(
            "cursor", "cursor_unknown", "follow `next` of a former answer as it stands"
        ) from exc


def _window(query: ListQuery, *, parts: int) -> Window:
    after = position_of(query.cursor, parts=parts)
    if after is not None and query.page is not None:
        raise InvalidInputError.of("page", "page_and_cursor", "give a page or a cursor, not both")
    return Window(limit=query.limit, offset=((query.page or 1) - 1) * query.limit, after=after)
