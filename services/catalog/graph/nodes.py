"""Ids of nodes, the same in JSON and in both pictures."""

from services.catalog.domain import Graph, TableKey


def etl_ids(graph: Graph) -> dict[str, str]:
    """Ids that are safe in any notation; a name may hold any character."""
    return {name: f"e{number}" for number, name in enumerate(graph.etls, start=1)}


def table_ids(graph: Graph) -> dict[TableKey, str]:
    """As `etl_ids`, for tables."""
    return {key: f"t{number}" for number, key in enumerate(graph.tables, start=1)}
