"""Ids of nodes, the same in JSON and in both pictures."""

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

from services.catalog.domain import EtlKey, Graph, TableKey
from services.catalog.lineage import ColumnKey, LineageGraph, Node

Key = TypeVar("Key", bound=EtlKey | TableKey | ColumnKey)


def labels(keys: Sequence[Key]) -> dict[Key, str]:
    """What pictures call each node: its namespace stands behind it where labels are the same."""
    counts = Counter(key.label for key in keys)
    return {
        key: key.label if counts[key.label] == 1 else f"{key.label} ({key.namespace or '-'})"
        for key in keys
    }


def etl_ids(graph: Graph) -> dict[EtlKey, str]:
    """Ids that are safe in any notation; a name may hold any character."""
    return {key: f"e{number}" for number, key in enumerate(graph.etls, start=1)}


def table_ids(graph: Graph) -> dict[TableKey, str]:
    """As `etl_ids`, for tables."""
    return {key: f"t{number}" for number, key in enumerate(graph.tables, start=1)}


def lineage_ids(graph: LineageGraph) -> dict[Node, str]:
    """As `etl_ids`, for what a walk came by: `e1`, `t1`, `c1`, the nearest first."""
    letters = {EtlKey: "e", TableKey: "t", ColumnKey: "c"}
    counts: Counter[str] = Counter()
    ids = {}
    for node in sorted(graph.distances, key=lambda node: abs(graph.distances[node])):
        letter = letters[type(node)]
        counts[letter] += 1
        ids[node] = f"{letter}{counts[letter]}"
    return ids
