"""The graph as an SVG picture: ETLs on the left, tables on the right, a curve for each edge."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import drawsvg  # type: ignore[import-untyped]

from services.catalog.domain import EtlKey, Graph
from services.catalog.graph.nodes import labels
from services.catalog.graph.order import untangled
from shared.values.labels import clean, cut, width_px

Node = TypeVar("Node", bound=Hashable)

ROW_PX = 30
BOX_PX = 22
MARGIN_PX = 20
GAP_PX = 260
HEADER_PX = 36

COLOURS = ("#2563eb", "#c2410c", "#15803d", "#7e22ce", "#be123c", "#0e7490", "#a16207", "#475569")
STYLE = """
text { font: 13px system-ui, "Noto Sans", "DejaVu Sans", sans-serif; fill: #1e293b; }
.head { font-weight: 600; fill: #475569; }
.etl { fill: #ffffff; stroke-width: 1.6; }
.table { fill: #f1f5f9; stroke: #64748b; }
.dropped { fill: #ffffff; stroke: #94a3b8; stroke-dasharray: 4 3; }
.dropped + text { fill: #94a3b8; text-decoration: line-through; }
.edge { fill: none; stroke-width: 1.6; opacity: 0.7; }
"""


@dataclass(frozen=True, slots=True)
class Column:
    """Boxes below one another; `middle_px` has the height of each one's middle."""

    x_px: float
    width_px: float
    middle_px: Mapping[Hashable, float]


def as_svg(graph: Graph) -> str:
    """A picture in its natural size; names are text in it, never markup."""
    etls, tables = untangled([(edge.etl, edge.table) for edge in graph.edges])
    rows = max(len(etls), len(tables), 1)
    etl_labels, table_labels = labels(etls), labels(tables)
    left = _column(etl_labels, x_px=MARGIN_PX, rows=rows)
    right = _column(table_labels, x_px=left.x_px + left.width_px + GAP_PX, rows=rows)
    picture = drawsvg.Drawing(
        right.x_px + right.width_px + MARGIN_PX,
        HEADER_PX + rows * ROW_PX + MARGIN_PX,
        role="img",
    )
    picture.append_css(STYLE)
    picture.append(drawsvg.Rectangle(0, 0, "100%", "100%", fill="#ffffff"))
    _draw_header(picture, graph, left, right)
    colour = {key: COLOURS[place % len(COLOURS)] for place, key in enumerate(etls)}
    _draw_edges(picture, graph, left, right, colour)
    for key, label in etl_labels.items():
        _draw_box(picture, left, key, label=label, class_="etl", rx=11, stroke=colour[key])
    for table, label in table_labels.items():
        class_ = "dropped" if table in graph.dropped else "table"
        _draw_box(picture, right, table, label=label, class_=class_, rx=3)
    return str(picture.as_svg())


def _column(nodes: Mapping[Node, str], *, x_px: float, rows: int) -> Column:
    """As wide as its widest label; the shorter column spreads over the height of the longer."""
    widest_px = max((width_px(cut(clean(label))) for label in nodes.values()), default=76.0)
    step_px = rows * ROW_PX / max(len(nodes), 1)
    middles: dict[Hashable, float] = {
        node: HEADER_PX + step_px * (place + 0.5) for place, node in enumerate(nodes)
    }
    return Column(x_px=x_px, width_px=max(widest_px + 24, 90), middle_px=middles)


def _draw_header(picture: drawsvg.Drawing, graph: Graph, left: Column, right: Column) -> None:
    for column, title in ((left, "ETL"), (right, "Table")):
        picture.append(drawsvg.Text(title, 13, column.x_px, 22, class_="head"))
    note = "no edges" if not graph.edges else ""
    if graph.truncated:
        note = f"{len(graph.edges)} of {graph.total} edges"
    if note:
        middle_px = left.x_px + left.width_px + GAP_PX / 2
        picture.append(drawsvg.Text(note, 13, middle_px, 22, class_="head", text_anchor="middle"))


def _draw_edges(
    picture: drawsvg.Drawing,
    graph: Graph,
    left: Column,
    right: Column,
    colour: Mapping[EtlKey, str],
) -> None:
    start_px, end_px = left.x_px + left.width_px, right.x_px
    bend_px = GAP_PX * 0.45
    for edge in graph.edges:
        from_px, to_px = left.middle_px[edge.etl], right.middle_px[edge.table]
        curve = drawsvg.Path(class_="edge", stroke=colour[edge.etl])
        curve.M(start_px, from_px)
        curve.C(start_px + bend_px, from_px, end_px - bend_px, to_px, end_px - 7, to_px)
        curve.append_title(f"{clean(edge.etl.label)} → {clean(edge.table.label)}")
        picture.append(curve)
        # The head is drawn here: markers take on their line's colour only in newer browsers.
        head = drawsvg.Lines(
            *(end_px - 8, to_px - 4, end_px, to_px, end_px - 8, to_px + 4),
            close=True,
            fill=colour[edge.etl],
        )
        picture.append(head)


def _draw_box(
    picture: drawsvg.Drawing, column: Column, node: Hashable, *, label: str, **looks: str | int
) -> None:
    middle_px = column.middle_px[node]
    shape = drawsvg.Rectangle(column.x_px, middle_px - BOX_PX / 2, column.width_px, BOX_PX, **looks)
    text = drawsvg.Text(
        cut(clean(label)), 13, column.x_px + 12, middle_px, dominant_baseline="central"
    )
    group = drawsvg.Group()
    group.append_title(clean(label))
    group.extend((shape, text))
    picture.append(group)
