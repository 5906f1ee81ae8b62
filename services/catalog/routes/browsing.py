"""Reading the catalog: open to everyone signed in (`catalog:read`)."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from services.catalog.dependencies import (
    NO_SCHEMA,
    EtlName,
    Process,
    Reader,
    SchemaName,
    TableName,
    schema_of,
)
from services.catalog.routes.paging import counted_page, position_of, window_of
from services.catalog.schemas.browsing import (
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
from shared.http.json_bodies import JsonRoute
from shared.http.paging import next_path

router = APIRouter(prefix="/api/catalog", tags=["catalog"], route_class=JsonRoute)

Listed = Annotated[ListQuery, Query()]
ListedTables = Annotated[TablesQuery, Query()]
Edges = Annotated[EdgesQuery, Query()]


@router.get("/schemas", summary="List schemas")
async def catalog_schemas_list(
    request: Request, catalog: Process, _caller: Reader, query: Listed
) -> CountedPage[SchemaItem]:
    """Schemas by name, each with the number of its tables."""
    schemas = await catalog.lists.schemas(
        window_of(query, parts=2),
        q=query.q,
        namespace=query.namespace,
        counted=query.counted,
    )
    return counted_page(request, query, schemas, SchemaItem.of)


@router.get("/tables", summary="List tables")
async def catalog_tables_list(
    request: Request, catalog: Process, _caller: Reader, query: ListedTables
) -> CountedPage[TableItem]:
    """Tables by schema and name, each with the number of ETLs that feed it.

    `q` is a part of `schema.name`. Dropped tables stay, with `dropped_at`.
    """
    tables = await catalog.lists.tables(
        window_of(query, parts=3),
        q=query.q,
        schema="" if query.schema_name == NO_SCHEMA else query.schema_name,
        namespace=query.namespace,
        dropped=query.dropped,
        counted=query.counted,
    )
    return counted_page(request, query, tables, TableItem.of_table)


@router.get("/etls", summary="List ETLs")
async def catalog_etls_list(
    request: Request, catalog: Process, _caller: Reader, query: Listed
) -> CountedPage[EtlItem]:
    """ETLs by name, each with the number of tables it feeds; `q` searches descriptions too."""
    etls = await catalog.lists.etls(
        window_of(query, parts=2),
        q=query.q,
        namespace=query.namespace,
        counted=query.counted,
    )
    return counted_page(request, query, etls, EtlItem.of_etl)


@router.get("/tables/{schema:segment}/{table:segment}", summary="Show a table")
async def catalog_tables_get(
    request: Request,
    catalog: Process,
    caller: Reader,
    schema: SchemaName,
    table: TableName,
    query: Edges,
) -> TableAnswer:
    """A table and the ETLs that feed it; for those who may see it, its columns and last imports.

    Without `namespace` the table that has none is shown, else the only one of its name; 409
    `ambiguous_name` lists the choices. While the service that knows columns or imports cannot be
    reached, they are null and `unavailable` names it.
    """
    details = await catalog.details.table(
        caller,
        schema_of(schema),
        table,
        namespace=query.namespace,
        limit=query.limit,
        after=position_of(query.cursor, parts=2),
    )
    return TableAnswer.of_details(details, next_path=next_path(request, details.edges))


@router.get("/etls/{etl:segment}", summary="Show an ETL")
async def catalog_etls_get(
    request: Request, catalog: Process, caller: Reader, etl: EtlName, query: Edges
) -> EtlAnswer:
    """An ETL, the tables it feeds and its last runs (without those into tables you may not see)."""
    details = await catalog.details.etl(
        caller,
        etl,
        namespace=query.namespace,
        limit=query.limit,
        after=position_of(query.cursor, parts=3),
    )
    return EtlAnswer.of_details(details, next_path=next_path(request, details.edges))
