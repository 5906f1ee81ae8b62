"""The graph in its three forms."""

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalog.domain import Edge, EtlKey, Graph, TableKey
from services.catalog.graph.mermaid import as_mermaid
from services.catalog.graph.order import untangled
from services.catalog.graph.svg import as_svg
from tests.catalog.conftest import Catalog, at

SVG = "{http://www.w3.org/2000/svg}"


def graph_of(*pairs: tuple[str, str], total: int | None = None, gone: str = "") -> Graph:
    edges = tuple(
        Edge(
            etl=EtlKey(etl),
            table=TableKey(schema="s", name=table),
            dropped_at=at(1) if table == gone else None,
            first_seen=at(0),
            last_seen=at(0),
            first_import=None,
            last_import=None,
            estimated_rows=None,
            scanned_at=None,
            vanished_at=None,
            entered_by=None,
        )
        for etl, table in pairs
    )
    return Graph(edges=edges, total=len(edges) if total is None else total)


async def fill(catalog: Catalog) -> None:
    await catalog.see_edge("load", "data", "a.b")
    await catalog.see_edge("load", "data", "c")
    await catalog.see_edge("scan", "data.a", "b")


async def test_json_names_nodes_and_arrows(catalog: Catalog) -> None:
    await fill(catalog)
    await catalog.see_table("dropped", "c", minute=9)

    body = (await catalog.get("/api/catalog/graph")).json()
    names = {
        node["id"]: (node["name"], node.get("schema"), node.get("dropped"))
        for node in body["nodes"]
    }
    assert [(names[e["source"]], names[e["target"]]) for e in body["edges"]] == [
        (("load", None, None), ("a.b", "data", False)),
        (("load", None, None), ("c", "data", True)),
        (("scan", None, None), ("b", "data.a", False)),
    ]
    assert (body["total"], body["truncated"]) == (3, False)


@pytest.mark.parametrize(
    ("params", "edges"),
    [
        ({"etl": "load"}, 2),
        ({"table": "data.c"}, 1),
        ({"table": "c"}, 1),
        ({"table": "data.a.b"}, 2),  # a.b in data, and b in data.a
        ({"table": "data.a.b", "etl": "scan"}, 1),
        ({"table": "c", "etl": "scan"}, 0),
    ],
)
async def test_a_part_of_the_graph(catalog: Catalog, params: dict[str, str], edges: int) -> None:
    await fill(catalog)

    body = (await catalog.get("/api/catalog/graph", params)).json()
    assert (len(body["edges"]), body["total"]) == (edges, edges)


async def test_what_a_limit_leaves_out_is_told(catalog: Catalog) -> None:
    await fill(catalog)

    body = (await catalog.get("/api/catalog/graph", {"limit": 2})).json()
    assert (len(body["edges"]), body["total"], body["truncated"]) == (2, 3, True)
    picture = await catalog.get("/api/catalog/graph", {"limit": 2, "format": "svg"})
    assert "2 of 3 edges" in picture.text
    mermaid = await catalog.get("/api/catalog/graph", {"limit": 2, "format": "mermaid"})
    assert "%% 2 of 3 edges" in mermaid.text


async def test_pictures_come_with_their_media_types_and_cannot_run_scripts(
    catalog: Catalog,
) -> None:
    await catalog.see_edge("<script>alert(1)</script>", "s", "t")

    svg = await catalog.get("/api/catalog/graph", {"format": "svg"})
    assert svg.headers["content-type"] == "image/svg+xml"
    assert "default-src 'none'" in svg.headers["content-security-policy"]
    assert not list(ET.fromstring(svg.text).iter(f"{SVG}script"))
    mermaid = await catalog.get("/api/catalog/graph", {"format": "mermaid"})
    assert mermaid.headers["content-type"] == "text/plain; charset=utf-8"
    assert "<script>" not in mermaid.text


async def test_an_empty_catalog_has_a_picture_too(catalog: Catalog) -> None:
    assert (await catalog.get("/api/catalog/graph")).json()["nodes"] == []
    assert "no edges" in (await catalog.get("/api/catalog/graph", {"format": "svg"})).text
    assert (await catalog.get("/api/catalog/graph", {"format": "mermaid"})).text == "flowchart LR\n"


def test_mermaid_spells_marks_as_numbers() -> None:
    text = as_mermaid(graph_of(('a"b;#]', "таблица%"), gone="таблица%"))

    assert text.splitlines() == [
        "flowchart LR",
        '    e1(["a#34;b#59;#35;#93;"])',
        '    t1[("s.таблица#37;")]',
        "    e1 --> t1",
        "    classDef dropped stroke-dasharray: 4 3,opacity: 0.6",
        "    class t1 dropped",
    ]


def test_boxes_of_fifty_nodes_do_not_overlap() -> None:
    pairs = [(f"etl {n % 12}", f"table number {n % 38}") for n in range(90)]
    picture = ET.fromstring(as_svg(graph_of(*pairs)))

    boxes = [
        tuple(float(box.attrib[name]) for name in ("x", "y", "width", "height"))
        for box in picture.iter(f"{SVG}rect")
        if box.attrib["width"] != "100%"
    ]
    assert len(boxes) == 50
    width, height = float(picture.attrib["width"]), float(picture.attrib["height"])
    for place, (x, y, w, h) in enumerate(boxes):
        assert 0 <= x <= x + w <= width
        assert 0 <= y <= y + h <= height
        for other_x, other_y, other_w, other_h in boxes[place + 1 :]:
            apart = x + w <= other_x or other_x + other_w <= x
            assert apart or y + h <= other_y or other_y + other_h <= y


def test_long_labels_are_cut_and_whole_in_the_tooltip() -> None:
    name = "表" * 60
    picture = ET.fromstring(as_svg(graph_of(("e", name))))

    texts = [text.text or "" for text in picture.iter(f"{SVG}text")]
    assert any(re.fullmatch(r"s\.表{31}…", text) for text in texts)
    assert f"s.{name}" in [title.text for title in picture.iter(f"{SVG}title")]


@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), max_size=12))
def test_any_names_make_a_well_formed_picture(pairs: list[tuple[str, str]]) -> None:
    picture = ET.fromstring(as_svg(graph_of(*pairs)))

    # A curve and an arrow head for each edge.
    assert len(list(picture.iter(f"{SVG}path"))) == 2 * len(pairs)


def test_order_untangles_crossed_pairs() -> None:
    lefts, rights = untangled([("a", 3), ("b", 2), ("c", 1)])

    assert [(left, right) for left, right in zip(lefts, rights, strict=True)] in (
        [("a", 3), ("b", 2), ("c", 1)],
        [("c", 1), ("b", 2), ("a", 3)],
    )


def test_order_is_the_same_for_the_same_graph() -> None:
    pairs = [(f"e{n % 7}", n % 11) for n in range(40)]

    assert untangled(pairs) == untangled(pairs)
