"""The graph of ETLs and tables, or a part of it."""

from sqlalchemy.ext.asyncio import AsyncEngine

from services.catalog.domain import Graph
from services.catalog.errors import EtlUnknownError, TableUnknownError
from services.catalog.repository import browsing, edges
from services.catalog.schemas import GraphQuery


async def read_graph(engine: AsyncEngine, query: GraphQuery) -> Graph:
    """The edges that fit the query, in order; raises EtlUnknownError and TableUnknownError."""
    async with engine.connect() as connection:
        if query.etl is not None and await edges.find_etl_id(connection, query.etl) is None:
            raise EtlUnknownError(query.etl)
        if query.table is not None and not await browsing.is_table_known(connection, query.table):
            raise TableUnknownError(f"the catalog knows no table {query.table!r}")
        return await browsing.read_graph(
            connection, etl=query.etl, table=query.table, limit=query.limit
        )
