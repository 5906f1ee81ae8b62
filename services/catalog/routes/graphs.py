"""The graph and walks through it as JSON, Mermaid and SVG (`catalog:read`)."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from services.catalog.dependencies import Process, Reader
from services.catalog.domain import Graph
from services.catalog.graph.lineage_svg import lineage_svg
from services.catalog.graph.mermaid import as_mermaid, lineage_mermaid
from services.catalog.graph.svg import as_svg
from services.catalog.lineage import LineageGraph
from services.catalog.schemas.graphs import GraphAnswer, GraphFormat, GraphQuery
from services.catalog.schemas.lineage import LineageAnswer, LineageQuery
from shared.http.json_bodies import JsonRoute
from shared.http.pictures import CONTENT, picture_response

router = APIRouter(prefix="/api/catalog", tags=["catalog"], route_class=JsonRoute)

# Not application/vnd.mermaid: browsers would save it, and Swagger UI would not show it.
MERMAID = "text/plain; charset=utf-8"
PICTURES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The graph in the format asked for.",
        "content": {
            "text/plain": {"schema": {"type": "string"}},
            **CONTENT,
        },
    }
}


@router.get("/graph", response_model=GraphAnswer, responses=PICTURES, summary="Draw the graph")
async def catalog_graph_get(
    catalog: Process, _caller: Reader, query: Annotated[GraphQuery, Query()]
) -> Response:
    """Which ETL feeds which table: as JSON, as Mermaid for a wiki, or as an SVG picture.

    At most `limit` edges; `total` and `truncated`, or the picture, show how many were left out.
    """
    graph = await catalog.graphs.read(
        etl=query.etl, table=query.table, namespace=query.namespace, limit=query.limit
    )
    return await asyncio.to_thread(_drawn, graph, query.format)


@router.get(
    "/lineage", response_model=LineageAnswer, responses=PICTURES, summary="Show the lineage"
)
async def catalog_lineage_get(
    catalog: Process, caller: Reader, query: Annotated[LineageQuery, Query()]
) -> Response:
    """What a table is made of and what is made of it, through ETLs and other tables.

    From one `table` or one `etl`; with `column`, from column to column, as OpenLineage reported.
    At most `limit` arrows each way, the nearest; `truncated` says that there are more.
    """
    walks, namespace = catalog.walks, query.namespace
    if query.etl is not None:
        graph = await walks.of_etl(query.etl, namespace=namespace, **query.extent)
    elif query.column is None:
        graph = await walks.of_table(query.label, namespace=namespace, **query.extent)
    else:
        graph = await walks.of_column(
            caller, query.label, query.column, namespace=namespace, **query.extent
        )
    return await asyncio.to_thread(_lineage_drawn, graph, query)


def _lineage_drawn(graph: LineageGraph, query: LineageQuery) -> Response:
    if query.format is GraphFormat.SVG:
        title = f"{graph.root.label} · {query.direction.value}"
        return picture_response(lineage_svg(graph, title=title))
    if query.format is GraphFormat.MERMAID:
        return Response(lineage_mermaid(graph), media_type=MERMAID)
    answer = LineageAnswer.of_graph(graph)
    return Response(answer.model_dump_json(by_alias=True), media_type="application/json")


def _drawn(graph: Graph, picture: GraphFormat) -> Response:
    if picture is GraphFormat.SVG:
        return picture_response(as_svg(graph))
    if picture is GraphFormat.MERMAID:
        return Response(as_mermaid(graph), media_type=MERMAID)
    answer = GraphAnswer.of_graph(graph)
    return Response(answer.model_dump_json(by_alias=True), media_type="application/json")
