"""A walk through the lineage on the wire."""

from datetime import datetime
from typing import Annotated, Literal, Self, TypedDict

from pydantic import Field, model_validator

from services.catalog.domain import EtlKey, TableKey
from services.catalog.graph.nodes import lineage_ids
from services.catalog.lineage import Direction, LineageGraph, Node
from services.catalog.schemas.graphs import GraphFormat
from services.catalog.schemas.names import NamedAnswer, Namespace, SchemaName
from shared.contracts.base import AnswerModel, RequestModel
from shared.contracts.catalog import CatalogText


class Extent(TypedDict):
    """How far a walk goes."""

    direction: Direction
    depth: int
    limit: int


class LineageQuery(RequestModel):
    """Where a walk starts, and how far it goes."""

    table: Annotated[
        CatalogText | None,
        Field(
            max_length=1001,
            description="Start at this table: `schema.table`, or its name alone where only one has"
            " it.",
            examples=["data.Customer"],
        ),
    ] = None
    etl: Annotated[CatalogText | None, Field(max_length=500, description="Start at this ETL.")] = (
        None
    )
    column: Annotated[
        CatalogText | None,
        Field(min_length=1, max_length=500, description="A column of the table: walk by columns."),
    ] = None
    namespace: Namespace = None
    direction: Direction = Direction.BOTH
    depth: Annotated[int, Field(ge=1, le=50, description="Steps from table to table.")] = 5
    format: GraphFormat = GraphFormat.JSON
    limit: Annotated[int, Field(ge=1, le=5000, description="Arrows at most, each way.")] = 500

    @model_validator(mode="after")
    def _has_one_start(self) -> Self:
        if (self.table is None) == (self.etl is None):
            raise ValueError("give `table` or `etl`, and one of them alone")
        if self.column is not None and self.table is None:
            raise ValueError("`column` is a column of a `table`")
        return self

    @property
    def label(self) -> str:
        """The table, where the walk starts at one."""
        return self.table or ""

    @property
    def extent(self) -> Extent:
        """How far the walk goes."""
        return Extent(direction=self.direction, depth=self.depth, limit=self.limit)


class LineageEtl(AnswerModel):
    """An ETL on the way; `distance` is less than 0 upstream."""

    id: str
    kind: Literal["etl"] = "etl"
    name: str
    namespace: str | None
    distance: int


class LineageTable(NamedAnswer):
    """A table on the way; `dropped` also where it has vanished."""

    id: str
    kind: Literal["table"] = "table"
    schema_name: SchemaName
    name: str
    namespace: str | None
    distance: int
    dropped: bool


class LineageColumn(NamedAnswer):
    """A column on the way; null stands for which rows the table has."""

    id: str
    kind: Literal["column"] = "column"
    schema_name: SchemaName
    table: str
    column: str | None
    namespace: str | None
    distance: int
    dropped: bool


class LineageArrow(AnswerModel):
    """Data goes from `source` to `target`, by the nodes' ids.

    Between columns with the ETL that makes the one out of the other, and how (`type`, `subtype` and
    `masking` as OpenLineage spells them).
    """

    source: str
    target: str
    last_seen: datetime
    etl: str | None = None
    etl_namespace: str | None = None
    type: str | None = None
    subtype: str | None = None
    masking: bool | None = None


class LineageAnswer(AnswerModel):
    """What a walk came by; `root` is the id of the node where it started."""

    root: str
    nodes: tuple[LineageEtl | LineageTable | LineageColumn, ...]
    edges: tuple[LineageArrow, ...]
    truncated: bool

    @classmethod
    def of_graph(cls, graph: LineageGraph) -> Self:
        """The graph with an id for each node, the nearest first."""
        ids = lineage_ids(graph)
        return cls(
            root=ids[graph.root],
            nodes=tuple(_node(graph, node, node_id) for node, node_id in ids.items()),
            edges=tuple(
                LineageArrow(
                    source=ids[arrow.source],
                    target=ids[arrow.target],
                    last_seen=arrow.last_seen,
                    etl=arrow.etl and arrow.etl.name,
                    etl_namespace=arrow.etl and arrow.etl.namespace,
                    type=arrow.type,
                    subtype=arrow.subtype,
                    masking=None if arrow.etl is None else arrow.masking,
                )
                for arrow in graph.arrows
            ),
            truncated=graph.truncated,
        )


def _node(
    graph: LineageGraph, node: Node, node_id: str
) -> LineageEtl | LineageTable | LineageColumn:
    distance, dropped = graph.distances[node], node in graph.gone
    if isinstance(node, EtlKey):
        return LineageEtl(id=node_id, name=node.name, namespace=node.namespace, distance=distance)
    if isinstance(node, TableKey):
        return LineageTable(
            id=node_id,
            schema_name=node.schema,
            name=node.name,
            namespace=node.namespace,
            distance=distance,
            dropped=dropped,
        )
    return LineageColumn(
        id=node_id,
        schema_name=node.table.schema,
        table=node.table.name,
        column=node.column or None,
        namespace=node.namespace,
        distance=distance,
        dropped=dropped,
    )
