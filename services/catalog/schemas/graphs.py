"""The graph on the wire."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field

from services.catalog.domain import (
    Graph,
)
from services.catalog.graph.nodes import etl_ids, table_ids
from services.catalog.schemas.names import NamedAnswer, Namespace, SchemaName
from shared.contracts.base import AnswerModel, RequestModel
from shared.contracts.catalog import CatalogText


class GraphFormat(StrEnum):
    """How the graph is drawn."""

    JSON = "json"
    MERMAID = "mermaid"
    SVG = "svg"


class GraphQuery(RequestModel):
    """A part of the graph; with both `etl` and `table`, the edges that fit both."""

    etl: Annotated[
        CatalogText | None, Field(max_length=500, description="Only this ETL's tables.")
    ] = None
    table: Annotated[
        CatalogText | None,
        Field(max_length=1001, description="Only this table's ETLs: `schema.table`, or a name."),
    ] = None
    namespace: Namespace = None
    format: GraphFormat = GraphFormat.JSON
    limit: Annotated[int, Field(ge=1, le=1000, description="Edges at most.")] = 200


class GraphEtl(AnswerModel):
    """A node that feeds."""

    id: str
    kind: Literal["etl"] = "etl"
    name: str
    namespace: str | None


class GraphTable(NamedAnswer):
    """A node that is fed."""

    id: str
    kind: Literal["table"] = "table"
    schema_name: SchemaName
    name: str
    namespace: str | None
    dropped: bool


class GraphArrow(AnswerModel):
    """From an ETL to a table, by the nodes' ids."""

    source: str
    target: str
    last_seen: datetime


class GraphAnswer(AnswerModel):
    """Nodes and arrows; `total` counts the arrows that `limit` left out too."""

    nodes: tuple[GraphEtl | GraphTable, ...]
    edges: tuple[GraphArrow, ...]
    total: int
    truncated: bool

    @classmethod
    def of_graph(cls, graph: Graph) -> Self:
        """The graph with an id for each node."""
        etls, tables = etl_ids(graph), table_ids(graph)
        dropped = graph.dropped
        return cls(
            nodes=(
                *(GraphEtl.of(key, id=node_id) for key, node_id in etls.items()),
                *(
                    GraphTable.of(key, id=node_id, dropped=key in dropped)
                    for key, node_id in tables.items()
                ),
            ),
            edges=tuple(
                GraphArrow.of(edge, source=etls[edge.etl], target=tables[edge.table])
                for edge in graph.edges
            ),
            total=graph.total,
            truncated=graph.truncated,
        )
