"""Runs of ETLs, and facets as they were sent (`catalog:read`)."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from services.catalog.dependencies import (
    EtlName,
    EtlNamespace,
    Namespace,
    Process,
    Reader,
    SchemaName,
    TableName,
    schema_of,
)
from services.catalog.routes.paging import position_of
from services.catalog.schemas.runs import FacetsAnswer, RunAnswer, RunDetailsAnswer, RunsQuery
from shared.contracts.base import Page
from shared.contracts.catalog import CatalogText
from shared.http.json_bodies import JsonRoute
from shared.http.paging import page

router = APIRouter(prefix="/api/catalog", tags=["catalog"], route_class=JsonRoute)

RunId = Annotated[CatalogText, Path(description="The run's id, percent-encoded.")]


@router.get("/etls/{etl:segment}/runs", summary="List the runs of an ETL")
async def catalog_runs_list(
    request: Request,
    catalog: Process,
    caller: Reader,
    etl: EtlName,
    query: Annotated[RunsQuery, Query()],
) -> Page[RunAnswer]:
    """The runs of an ETL, the newest first; imports are those of ours (`import:<id>`)."""
    runs = await catalog.runs.page(
        caller,
        etl,
        namespace=query.namespace,
        state=query.state,
        limit=query.limit,
        after=position_of(query.cursor, parts=2),
    )
    return page(request, runs, RunAnswer.of_run)


@router.get("/etls/{etl:segment}/runs/{run:segment}", summary="Show a run of an ETL")
async def catalog_runs_get(
    catalog: Process,
    caller: Reader,
    etl: EtlName,
    run: RunId,
    namespace: EtlNamespace = None,
) -> RunDetailsAnswer:
    """A run that OpenLineage reported, with its facets and the datasets that it read or wrote."""
    details = await catalog.runs.one(caller, etl, run, namespace=namespace)
    return RunDetailsAnswer.of_details(details)


@router.get("/etls/{etl:segment}/facets", summary="Show the facets of an ETL")
async def catalog_etl_facets(
    catalog: Process, _caller: Reader, etl: EtlName, namespace: EtlNamespace = None
) -> FacetsAnswer:
    """The newest facets of a job, as OpenLineage's clients sent them."""
    facets: dict[str, Any] = dict(await catalog.runs.facets_of_etl(etl, namespace=namespace))
    return FacetsAnswer(facets=facets)


@router.get("/tables/{schema:segment}/{table:segment}/facets", summary="Show the facets of a table")
async def catalog_table_facets(
    catalog: Process,
    caller: Reader,
    schema: SchemaName,
    table: TableName,
    namespace: Namespace = None,
) -> FacetsAnswer:
    """The newest facets of a dataset, as they were sent; for those who may see the table."""
    facets = await catalog.runs.facets_of_table(
        caller, schema_of(schema), table, namespace=namespace
    )
    return FacetsAnswer(facets=dict(facets))
