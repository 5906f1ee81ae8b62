"""The graph in Mermaid's notation, as wikis and Markdown renderers draw it."""

from services.catalog.domain import Graph
from services.catalog.graph.nodes import etl_ids, labels, table_ids

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
        lines.append("    classDef dropped stroke-dasharray: 4 3,opacity: 0.6")
        lines.append(f"    class {','.join(dropped)} dropped")
    return "\n".join(lines) + "\n"


def _label(name: str) -> str:
    """A name as text of a node: marks that Mermaid or HTML would read stand as their numbers."""
    return "".join(
        letter if letter.isalnum() or letter in PLAIN_MARKS else f"#{ord(letter)};"
        for letter in name
    )
