"""Nodes and arrows with ids, as JSON answers them and as both pictures draw them."""

from services.catalog.domain import Graph, TableKey
from services.catalog.schemas import GraphAnswer, GraphArrow, GraphEtl, GraphTable


def etl_ids(graph: Graph) -> dict[str, str]:
    """Ids that are safe in any notation, because a name may hold any letter."""
    return {name: f"e{number}" for number, name in enumerate(graph.etls, start=1)}


def table_ids(graph: Graph) -> dict[TableKey, str]:
    """As `etl_ids`, for tables."""
    return {key: f"t{number}" for number, key in enumerate(graph.tables, start=1)}


def as_answer(graph: Graph) -> GraphAnswer:
    """The graph as JSON."""
    etls, tables = etl_ids(graph), table_ids(graph)
    dropped = graph.dropped
    return GraphAnswer(
        nodes=(
            *(GraphEtl(id=node_id, name=name) for name, node_id in etls.items()),
            *(
                GraphTable(
                    id=node_id, schema_name=key.schema, name=key.name, dropped=key in dropped
                )
                for key, node_id in tables.items()
            ),
        ),
        edges=tuple(
            GraphArrow(source=etls[edge.etl], target=tables[edge.table], last_seen=edge.last_seen)
            for edge in graph.edges
        ),
        total=graph.total,
        truncated=graph.truncated,
    )
