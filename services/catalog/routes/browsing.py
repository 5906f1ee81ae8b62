"""Reading the catalog: open to everyone signed in (`catalog:read`)."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from services.catalog.dependencies import EtlName, Reader, SchemaName, State, TableName
from services.catalog.domain import TableKey
from services.catalog.routes.paging import counted_page, next_path
from services.catalog.schemas import (
    CountedPage,
    EdgesQuery,
    EtlAnswer,
    EtlItem,
    ListQuery,
    SchemaItem,
    TableAnswer,
    TableItem,
    TablesQuery,
)
from services.catalog.service import browsing, details

router = APIRouter(prefix="/api/catalog", tags=["catalog"])

Listed = Annotated[ListQuery, Query()]
ListedTables = Annotated[TablesQuery, Query()]
Edges = Annotated[EdgesQuery, Query()]


@router.get("/schemas", summary="List schemas")
async def catalog_schemas_list(
    request: Request, state: State, _caller: Reader, query: Listed
) -> CountedPage[SchemaItem]:
    """Schemas by name, each with the number of its tables."""
    found = await browsing.list_schemas(state.engine, query)
    return counted_page(request, query, found)


@router.get("/tables", summary="List tables")
async def catalog_tables_list(
    request: Request, state: State, _caller: Reader, query: ListedTables
) -> CountedPage[TableItem]:
    """Tables by schema and name, each with the number of ETLs that feed it.

    `q` looks for a part of `schema.name`. Dropped tables stay, with `dropped_at`.
    """
    found = await browsing.list_tables(state.engine, query)
    return counted_page(request, query, found)


@router.get("/etls", summary="List ETLs")
async def catalog_etls_list(
    request: Request, state: State, _caller: Reader, query: Listed
) -> CountedPage[EtlItem]:
    """ETLs by name, each with the number of tables it feeds; `q` looks into descriptions too."""
    found = await browsing.list_etls(state.engine, query)
    return counted_page(request, query, found)


@router.get("/tables/{schema:segment}/{table:segment}", summary="Show a table")
async def catalog_tables_get(
    request: Request,
    state: State,
    caller: Reader,
    schema: SchemaName,
    table: TableName,
    query: Edges,
) -> TableAnswer:
    """A table and the ETLs that feed it; for those who may see it, its columns and last imports.

    While the service that knows columns or imports is away, they are null and `unavailable`
    names it.
    """
    answer, rest_after = await details.describe_table(
        state.engine, state.peers, TableKey(schema=schema, name=table), query, caller=caller
    )
    return answer.model_copy(update={"next": next_path(request, rest_after)})


@router.get("/etls/{etl:segment}", summary="Show an ETL")
async def catalog_etls_get(
    request: Request, state: State, caller: Reader, etl: EtlName, query: Edges
) -> EtlAnswer:
    """An ETL, the tables it feeds and its last runs (without those into tables you may not see)."""
    answer, rest_after = await details.describe_etl(
        state.engine, state.peers, etl, query, caller=caller
    )
    return answer.model_copy(update={"next": next_path(request, rest_after)})
