"""Search, and what people write of tables, columns and ETLs."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from services.catalog.dependencies import (
    EtlName,
    EtlNamespace,
    Namespace,
    Process,
    Reader,
    SchemaName,
    TableName,
    Writer,
    schema_of,
)
from services.catalog.schemas.browsing import EtlAnswer, TableAnswer
from services.catalog.schemas.notes import EtlPatch, SearchAnswer, SearchQuery, TablePatch
from shared.http.json_bodies import JsonRoute
from shared.http.paging import next_path

router = APIRouter(prefix="/api/catalog", tags=["catalog"], route_class=JsonRoute)


@router.get("/search", summary="Search the catalog")
async def catalog_search(
    catalog: Process, caller: Reader, query: Annotated[SearchQuery, Query()]
) -> SearchAnswer:
    """Tables, columns and ETLs by their names, descriptions, tags and owners, the best first.

    Of the tables made here, those that you may see; their columns by what is written of them.
    """
    return SearchAnswer.of_found(await catalog.search.best(caller, query.q, limit=query.limit))


@router.patch("/tables/{schema:segment}/{table:segment}", summary="Describe a table")
async def catalog_tables_describe(
    request: Request,
    catalog: Process,
    caller: Writer,
    schema: SchemaName,
    table: TableName,
    body: TablePatch,
    namespace: Namespace = None,
) -> TableAnswer:
    """Describe a table and its columns, tag them, name owners.

    A table in `data` is described by its owners and admins (403 `table_not_yours`), any other by
    everyone who may write the catalog. What is written here comes before what a source reports.
    """
    details = await catalog.notes.describe_table(
        caller, schema_of(schema), table, body.changes(), namespace=namespace
    )
    return TableAnswer.of_details(details, next_path=next_path(request, details.edges))


@router.patch("/etls/{etl:segment}", summary="Describe an ETL")
async def catalog_etls_describe(
    request: Request,
    catalog: Process,
    caller: Writer,
    etl: EtlName,
    body: EtlPatch,
    namespace: EtlNamespace = None,
) -> EtlAnswer:
    """Describe an ETL, tag it, name owners."""
    details = await catalog.notes.describe_etl(caller, etl, body.changes(), namespace=namespace)
    return EtlAnswer.of_details(details, next_path=next_path(request, details.edges))
