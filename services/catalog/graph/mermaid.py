"""The graph in Mermaid's notation, as wikis and Markdown renderers draw it."""

from services.catalog.domain import EtlKey, Graph, TableKey
from services.catalog.graph.nodes import etl_ids, labels, lineage_ids, table_ids
from services.catalog.lineage import ColumnKey, LineageGraph

DROPPED = "dropped stroke-dasharray: 4 3,opacity: 0.6"
PLAIN_MARKS = frozenset(" _-.,/()+=@!?")


def as_mermaid(graph: Graph) -> str:
    """A flowchart from left to right: ETLs as rounded boxes, tables as cylinders.

    Dropped tables have the class `dropped`; a comment says how many edges were left out.
    """
    etls, tables = etl_ids(graph), table_ids(graph)
    dropped = sorted(tables[key] for key in graph.dropped)
    lines = ["flowchart LR"]
    if graph.truncated:
        lines.append(f"    %% {len(graph.edges)} of {graph.total} edges")
    names = labels(graph.etls) | labels(graph.tables)
    lines += [f'    {node_id}(["{_label(names[key])}"])' for key, node_id in etls.items()]
    lines += [f'    {node_id}[("{_label(names[key])}")]' for key, node_id in tables.items()]
    lines += [f"    {etls[edge.etl]} --> {tables[edge.table]}" for edge in graph.edges]
    if dropped:
        lines.append(f"    classDef {DROPPED}")
        lines.append(f"    class {','.join(dropped)} dropped")
    return "\n".join(lines) + "\n"


def lineage_mermaid(graph: LineageGraph) -> str:
    """A flowchart from left to right of a walk, where it starts with the class `root`.

    Between columns, arrows name the ETL that makes the one out of the other.
    """
    ids, names = lineage_ids(graph), labels(list(graph.distances))
    lines = ["flowchart LR"]
    if graph.truncated:
        lines.append("    %% only the nearest; there is more")
    for node, node_id in ids.items():
        label = f'"{_label(names[node])}"'
        shapes = {EtlKey: f"([{label}])", TableKey: f"[({label})]", ColumnKey: f"[{label}]"}
        lines.append(f"    {node_id}{shapes[type(node)]}")
    for arrow in graph.arrows:
        by = "" if arrow.etl is None else f'|"{_label(arrow.etl.label)}"|'
        lines.append(f"    {ids[arrow.source]} -->{by} {ids[arrow.target]}")
    gone = [node_id for node, node_id in ids.items() if node in graph.gone]
    if gone:
        lines.append(f"    classDef {DROPPED}")
        lines.append(f"    class {','.join(gone)} dropped")
    lines.append("    classDef root fill:#fef9c3,stroke:#a16207")
    lines.append(f"    class {ids[graph.root]} root")
    return "\n".join(lines) + "\n"


def _label(name: str) -> str:
    """A name as text of a node: marks that Mermaid or HTML would read stand as their numbers."""
    return "".join(
        letter if letter.isalnum() or letter in PLAIN_MARKS else f"#{ord(letter)};"
        for letter in name
    )
