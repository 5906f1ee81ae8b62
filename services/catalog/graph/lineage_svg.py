"""A walk through the lineage as an SVG picture: from left to right, a layer a step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import drawsvg  # type: ignore[import-untyped]

from services.catalog.domain import EtlKey
from services.catalog.graph.layers import Layout, laid_out
from services.catalog.graph.nodes import labels
from services.catalog.graph.svg import BOX_PX, COLOURS, HEADER_PX, MARGIN_PX
from services.catalog.lineage import Arrow, LineageGraph, Node
from shared.values.labels import clean, cut, width_px

NODE_PX, BEND_PX = 32.0, 14.0
GAP_PX = 84.0
HEAD_PX = 8.0
STYLE = """
text { font: 13px system-ui, "Noto Sans", "DejaVu Sans", sans-serif; fill: #1e293b; }
.head { font-weight: 600; fill: #475569; }
.etl { fill: #ffffff; stroke-width: 1.6; }
.table { fill: #f1f5f9; stroke: #64748b; }
.root { fill: #fef9c3; stroke: #a16207; stroke-width: 2; }
.root + text { font-weight: 600; }
.gone { fill: #ffffff; stroke: #94a3b8; stroke-dasharray: 4 3; }
.gone + text { fill: #94a3b8; text-decoration: line-through; }
.arrow { fill: none; stroke-width: 1.5; opacity: 0.75; }
.back { stroke-dasharray: 6 3; }
"""


@dataclass(frozen=True, slots=True)
class Frame:
    """Where each layer begins and how wide it is, and each slot's middle; all in pixels."""

    lefts: Sequence[float]
    widths: Sequence[float]
    middles: Mapping[int, float]
    layer_of: Mapping[int, int]

    def left(self, slot: int) -> float:
        """The left edge of a slot."""
        return self.lefts[self.layer_of[slot]]

    def right(self, slot: int) -> float:
        """The right edge of a slot."""
        return self.left(slot) + self.widths[self.layer_of[slot]]


def lineage_svg(graph: LineageGraph, *, title: str) -> str:
    """A picture in its natural size; names are text in it, never markup.

    An arrow that closes a cycle goes back and is dashed.
    """
    nodes = sorted(graph.distances, key=lambda node: (graph.distances[node], _order(node)))
    numbers = {node: number for number, node in enumerate(nodes)}
    arrows = [(numbers[arrow.source], numbers[arrow.target]) for arrow in graph.arrows]
    straight = [number for number, (source, target) in enumerate(arrows) if source != target]
    layout = laid_out(
        len(nodes), [arrows[number] for number in straight], heights=(NODE_PX, BEND_PX)
    )
    names = labels(nodes)
    frame = _frame(layout, [names[node] for node in nodes])
    notes = [title, *(["only the nearest; there is more"] if graph.truncated else [])]
    head = clean(" · ".join(notes))
    width_of_all = max(frame.lefts[-1] + frame.widths[-1], MARGIN_PX + width_px(head)) + MARGIN_PX
    bottom = max(frame.middles.values()) + NODE_PX / 2 + MARGIN_PX
    picture = drawsvg.Drawing(width_of_all, bottom, role="img")
    picture.append_css(STYLE)
    picture.append(drawsvg.Rectangle(0, 0, "100%", "100%", fill="#ffffff"))
    picture.append(drawsvg.Text(head, 13, MARGIN_PX, 22, class_="head"))
    colours = _colours(graph, nodes)
    for place, number in enumerate(straight):
        arrow = graph.arrows[number]
        back = place in layout.backwards
        _draw_arrow(picture, frame, layout.ways[place], arrow, colours[_job(arrow)], back=back)
    for arrow in graph.arrows:
        if arrow.source == arrow.target:
            _draw_loop(picture, frame, numbers[arrow.source], arrow, colours[_job(arrow)])
    for number, node in enumerate(nodes):
        _draw_node(picture, frame, number, names[node], _looks(graph, node, colours))
    return str(picture.as_svg())


def _order(node: Node) -> tuple[str, str]:
    return node.label, node.namespace or ""


def _frame(layout: Layout, names: Sequence[str]) -> Frame:
    lefts, widths, left = [], [], float(MARGIN_PX)
    for layer in layout.layers:
        labels_px = [width_px(cut(clean(names[slot]))) for slot in layer if slot < len(names)]
        lefts.append(left)
        widths.append(max([60.0, *(label_px + 24 for label_px in labels_px)]))
        left += widths[-1] + GAP_PX
    return Frame(
        lefts,
        widths,
        {slot: HEADER_PX + middle for slot, middle in layout.middles.items()},
        {slot: number for number, layer in enumerate(layout.layers) for slot in layer},
    )


def _job(arrow: Arrow) -> Node | None:
    """The ETL whose colour an arrow has."""
    if arrow.etl is not None:
        return arrow.etl
    return next((end for end in (arrow.source, arrow.target) if isinstance(end, EtlKey)), None)


def _colours(graph: LineageGraph, nodes: Sequence[Node]) -> Mapping[Node | None, str]:
    jobs = [node for node in nodes if isinstance(node, EtlKey)]
    jobs += sorted({arrow.etl for arrow in graph.arrows if arrow.etl is not None}, key=_order)
    numbers = enumerate(dict.fromkeys(jobs))
    return {None: COLOURS[-1], **{job: COLOURS[place % len(COLOURS)] for place, job in numbers}}


def _looks(
    graph: LineageGraph, node: Node, colours: Mapping[Node | None, str]
) -> dict[str, str | int]:
    if isinstance(node, EtlKey):
        class_ = "etl root" if node == graph.root else "etl"
        return {"class_": class_, "rx": 11, "stroke": colours[node]}
    kind = "root" if node == graph.root else "gone" if node in graph.gone else "table"
    return {"class_": kind, "rx": 3}


def _draw_arrow(
    picture: drawsvg.Drawing,
    frame: Frame,
    way: Sequence[int],
    arrow: Arrow,
    colour: str,
    *,
    back: bool,
) -> None:
    curve = drawsvg.Path(class_="arrow back" if back else "arrow", stroke=colour)
    x, y = frame.right(way[0]) + (HEAD_PX - 1 if back else 0), frame.middles[way[0]]
    curve.M(x, y)
    for slot in way[1:]:
        last = slot == way[-1]
        to_x, to_y = frame.left(slot), frame.middles[slot]
        to_x -= HEAD_PX - 1 if last and not back else 0
        bend = (to_x - x) * 0.5
        curve.C(x + bend, y, to_x - bend, to_y, to_x, to_y)
        x, y = frame.right(slot), to_y
        if not last:
            curve.H(x)
    curve.append_title(_story(arrow))
    picture.append(curve)
    end, sign = (frame.right(way[0]), 1) if back else (frame.left(way[-1]), -1)
    at = frame.middles[way[0] if back else way[-1]]
    # The head is drawn here: markers take on their line's colour only in newer browsers.
    back_of_head = end + sign * HEAD_PX
    picture.append(
        drawsvg.Lines(
            *(back_of_head, at - 4, end, at, back_of_head, at + 4), close=True, fill=colour
        )
    )


def _draw_loop(
    picture: drawsvg.Drawing, frame: Frame, slot: int, arrow: Arrow, colour: str
) -> None:
    x, y = frame.right(slot), frame.middles[slot]
    curve = drawsvg.Path(class_="arrow back", stroke=colour)
    curve.M(x, y - 6)
    curve.C(x + 24, y - 14, x + 24, y + 14, x, y + 6)
    curve.append_title(_story(arrow))
    picture.append(curve)


def _story(arrow: Arrow) -> str:
    by = f" ({clean(arrow.etl.label)})" if arrow.etl is not None else ""
    return f"{clean(arrow.source.label)} → {clean(arrow.target.label)}{by}"


def _draw_node(
    picture: drawsvg.Drawing, frame: Frame, slot: int, label: str, looks: Mapping[str, str | int]
) -> None:
    left, middle = frame.left(slot), frame.middles[slot]
    width = width_px(cut(clean(label))) + 24
    width = max(width, frame.widths[frame.layer_of[slot]])
    group = drawsvg.Group()
    group.append_title(clean(label))
    group.append(drawsvg.Rectangle(left, middle - BOX_PX / 2, width, BOX_PX, **looks))
    group.append(
        drawsvg.Text(cut(clean(label)), 13, left + 12, middle, dominant_baseline="central")
    )
    picture.append(group)
