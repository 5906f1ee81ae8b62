"""The graph as JSON, Mermaid and SVG (`catalog:read`)."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from services.catalog.dependencies import Process, Reader
from services.catalog.domain import Graph
from services.catalog.graph.mermaid import as_mermaid
from services.catalog.graph.svg import as_svg
from services.catalog.schemas.graphs import GraphAnswer, GraphFormat, GraphQuery

router = APIRouter(prefix="/api/catalog", tags=["catalog"])

# Not application/vnd.mermaid: browsers would save it, and Swagger UI would not show it.
MERMAID = "text/plain; charset=utf-8"
SVG = "image/svg+xml"
# An SVG opened by itself is a page of our origin: it may draw, and nothing else.
SVG_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
}
PICTURES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The graph in the format asked for.",
        "content": {
            "text/plain": {"schema": {"type": "string"}},
            SVG: {"schema": {"type": "string"}},
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


def _drawn(graph: Graph, picture: GraphFormat) -> Response:
    if picture is GraphFormat.SVG:
        return Response(as_svg(graph), media_type=SVG, headers=SVG_HEADERS)
    if picture is GraphFormat.MERMAID:
        return Response(as_mermaid(graph), media_type=MERMAID)
    answer = GraphAnswer.of_graph(graph)
    return Response(answer.model_dump_json(by_alias=True), media_type="application/json")
