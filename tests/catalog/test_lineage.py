"""Walks both ways, by tables and columns, past cycles and within limits; and their pictures."""

import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalog.domain import EtlKey, TableKey
from services.catalog.graph.layers import laid_out
from services.catalog.graph.lineage_svg import lineage_svg
from services.catalog.graph.mermaid import lineage_mermaid
from services.catalog.lineage import Arrow, ColumnKey, LineageGraph, Node
from shared.contracts.auth import Role
from shared.contracts.records import TableName, VisibleTable
from tests.catalog.conftest import Catalog, at
from tests.catalog.openlineage_events import dataset, event, send
from tests.support.issuer import person

PATH = "/api/catalog/lineage"
SVG = "{http://www.w3.org/2000/svg}"
HOST = "postgres://db.example.com:5432"


def job(
    name: str, second: int, inputs: str, outputs: str, /, **columns: list[str]
) -> dict[str, Any]:
    """A job's run; `columns` name, for each column of its outputs, those that it is made of."""
    fields = {
        column: {
            "inputFields": [
                {"namespace": HOST, "name": f"shop.public.{table}", "field": field}
                for table, field in (source.split(".") for source in sources)
            ]
        }
        for column, sources in columns.items()
    }
    facets: dict[str, Any] = {"columnLineage": {"fields": fields}} if fields else {}
    return event(
        "COMPLETE",
        second,
        run=f"run of {name}",
        job=name,
        inputs=[dataset(f"shop.public.{table}") for table in inputs.split()],
        outputs=[dataset(f"shop.public.{table}", **facets) for table in outputs.split()],
    )


async def fill(catalog: Catalog) -> None:
    """raw -> clean -> mart -> report, a write back from report to clean, and a file into raw."""
    await send(
        catalog,
        job("cleaning", 1, "raw", "clean", name=["raw.name"], total=["raw.net", "raw.tax"]),
        job("summing", 2, "clean", "mart", total=["clean.total"]),
        job("reporting", 3, "mart", "report", total=["mart.total"]),
        job("writing back", 4, "report", "clean"),
        job("other", 5, "elsewhere", "nowhere"),
    )
    await catalog.see_edge("customers.csv", "data", "Customer")


async def lineage(catalog: Catalog, **params: Any) -> dict[str, Any]:
    answer = await catalog.get(PATH, params)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def names(body: dict[str, Any]) -> dict[str, int]:
    """What was found, and how far away."""

    def name(node: dict[str, Any]) -> str:
        if node["kind"] == "column":
            return f"{node['table']}.{node['column']}"
        return str(node["name"])

    return {name(node): node["distance"] for node in body["nodes"]}


def arrows(body: dict[str, Any]) -> set[tuple[str, str]]:
    by_id = dict(zip((node["id"] for node in body["nodes"]), names(body), strict=True))
    return {(by_id[arrow["source"]], by_id[arrow["target"]]) for arrow in body["edges"]}


async def test_upstream_is_what_a_table_is_made_of(catalog: Catalog) -> None:
    await fill(catalog)
    body = await lineage(catalog, table="public.mart", direction="upstream")
    assert names(body) == {
        "mart": 0,
        "summing": -1,
        "clean": -1,
        "cleaning": -2,
        "writing back": -2,
        "raw": -2,
        "report": -2,
        "reporting": -3,
    }
    assert arrows(body) == {
        ("summing", "mart"),
        ("clean", "summing"),
        ("cleaning", "clean"),
        ("writing back", "clean"),
        ("raw", "cleaning"),
        ("report", "writing back"),
        ("reporting", "report"),
        ("mart", "reporting"),
    }
    assert body["truncated"] is False
    assert body["root"] == "t1"


async def test_downstream_is_what_is_made_of_it(catalog: Catalog) -> None:
    await fill(catalog)
    body = await lineage(catalog, table="mart", direction="downstream", depth=1)
    assert names(body) == {"mart": 0, "reporting": 1, "report": 1}
    two = await lineage(catalog, table="mart", direction="downstream", depth=2)
    assert names(two) == {**names(body), "writing back": 2, "clean": 2}
    all_ = await lineage(catalog, table="mart", direction="downstream", depth=50)
    assert set(names(all_)) - set(names(two)) == {"summing"}


async def test_both_ways_by_default_and_from_an_etl(catalog: Catalog) -> None:
    await fill(catalog)
    body = await lineage(catalog, table="raw", depth=1)
    assert names(body) == {"raw": 0, "cleaning": 1, "clean": 1}
    body = await lineage(catalog, etl="cleaning", depth=1)
    assert names(body) == {"cleaning": 0, "raw": -1, "clean": 1}
    body = await lineage(catalog, etl="cleaning", depth=2, direction="downstream")
    assert names(body) == {"cleaning": 0, "clean": 1, "summing": 2, "mart": 2}
    body = await lineage(catalog, table="data.Customer")
    assert names(body) == {"Customer": 0, "customers.csv": -1}


async def test_columns_lead_to_columns(catalog: Catalog) -> None:
    await fill(catalog)
    body = await lineage(catalog, table="report", column="total", direction="upstream")
    assert names(body) == {
        "report.total": 0,
        "mart.total": -1,
        "clean.total": -2,
        "raw.net": -3,
        "raw.tax": -3,
    }
    assert [arrow["etl"] for arrow in body["edges"]] == [
        "reporting",
        "summing",
        "cleaning",
        "cleaning",
    ]
    body = await lineage(catalog, table="raw", column="name")
    assert names(body) == {"raw.name": 0, "clean.name": 1}
    assert names(await lineage(catalog, table="raw", column="none")) == {"raw.none": 0}


async def test_what_decides_on_rows_goes_into_every_column(catalog: Catalog) -> None:
    source = {"namespace": "n", "name": "source", "field": "active"}
    made = {"fields": {}, "dataset": [source]}
    await send(catalog, event("COMPLETE", 1, outputs=[dataset("t", "n", columnLineage=made)]))

    up = await lineage(catalog, table="t", column="any", direction="upstream")
    assert names(up) == {"t.any": 0, "source.active": -1}
    down = await lineage(catalog, table="source", column="active")
    assert names(down) == {"source.active": 0, "t.None": 1}


async def test_columns_of_a_private_table_are_for_those_who_may_see_it(catalog: Catalog) -> None:
    await catalog.see_table("created", "Secret", minute=0)
    port, name = catalog.database.cluster.port, catalog.database.name
    ours = f"postgres://localhost:{port}"
    source = {"namespace": ours, "name": f"{name}.data.Secret", "field": "salary"}
    made = {"fields": {"pay": {"inputFields": [source]}}}
    await send(catalog, event("COMPLETE", 1, outputs=[dataset("t", "n", columnLineage=made)]))
    owner, admin = person("owner@example.com"), person("root@example.com", role=Role.ADMIN)
    catalog.peers.tables["Secret", owner.sub] = VisibleTable(
        table=TableName("Secret"), columns=(), level="owner"
    )

    for caller, column in ((catalog.reader, None), (owner, "salary"), (admin, "salary")):
        answer = await catalog.get(PATH, {"table": "t", "column": "pay"}, caller=caller)
        [_, far] = answer.json()["nodes"]
        assert far.get("column") == column
        assert far["kind"] == ("column" if column else "table")
    at_secret = {"table": "data.Secret", "column": "salary"}
    assert len((await catalog.get(PATH, at_secret)).json()["nodes"]) == 1
    assert len((await catalog.get(PATH, at_secret, caller=owner)).json()["nodes"]) == 2
    catalog.peers.away.add("records")
    assert (await catalog.get(PATH, at_secret)).status_code == 503


async def test_the_nearest_arrows_are_shown_where_there_are_too_many(catalog: Catalog) -> None:
    await send(catalog, *(job(f"j{n}", n, f"t{n}", f"t{n + 1} x{n}") for n in range(6)))
    body = await lineage(catalog, table="t0", limit=4)
    assert body["truncated"] is True
    assert names(body) == {"t0": 0, "j0": 1, "t1": 1, "x0": 1, "j1": 2}
    picture = await catalog.get(PATH, {"table": "t0", "limit": 4, "format": "svg"})
    assert "there is more" in picture.text
    whole = await lineage(catalog, table="t3", limit=100)
    assert whole["truncated"] is False
    assert len(whole["edges"]) == 3 * 2 + 3 * 3


async def test_names_that_lead_nowhere_or_to_more_than_one(catalog: Catalog) -> None:
    await catalog.see_edge("e", "a", "same")
    await catalog.see_edge("e", "b", "same")
    for params, status, code in (
        ({"table": "none.there"}, 404, "table_unknown"),
        ({"etl": "none"}, 404, "etl_unknown"),
        ({"table": "same"}, 409, "ambiguous_name"),
        ({}, 422, "invalid_input"),
        ({"table": "a.same", "etl": "e"}, 422, "invalid_input"),
        ({"etl": "e", "column": "c"}, 422, "invalid_input"),
        ({"table": "a.same", "depth": 0}, 422, "invalid_input"),
    ):
        answer = await catalog.get(PATH, params)
        assert (answer.status_code, answer.json()["code"]) == (status, code), params
    assert names(await lineage(catalog, table="b.same")) == {"same": 0, "e": -1}


async def test_pictures_cannot_run_scripts(catalog: Catalog) -> None:
    name = '<script>alert("1")</script>'
    await catalog.see_edge(name, "s", "t")
    svg = await catalog.get(PATH, {"table": "s.t", "format": "svg"})
    assert svg.headers["content-type"] == "image/svg+xml"
    assert "default-src 'none'" in svg.headers["content-security-policy"]
    assert not list(ET.fromstring(svg.text).iter(f"{SVG}script"))
    mermaid = await catalog.get(PATH, {"table": "s.t", "format": "mermaid"})
    assert mermaid.headers["content-type"] == "text/plain; charset=utf-8"
    assert mermaid.text.splitlines() == [
        "flowchart LR",
        '    t1[("s.t")]',
        '    e1(["#60;script#62;alert(#34;1#34;)#60;/script#62;"])',
        "    e1 --> t1",
        "    classDef root fill:#fef9c3,stroke:#a16207",
        "    class t1 root",
    ]


def graph_of(pairs: list[tuple[int, int]]) -> LineageGraph:
    """Tables have even numbers, ETLs odd ones."""

    def node(number: int) -> Node:
        return EtlKey(f"etl {number}") if number % 2 else TableKey("s", f"table {number}")

    nodes = sorted({end for pair in pairs for end in pair} | {0})
    return LineageGraph(
        root=node(0),
        distances={node(number): number // 2 for number in nodes},
        arrows=tuple(Arrow(node(source), node(target), at(0)) for source, target in pairs),
        gone=frozenset(),
        truncated=False,
    )


Pairs = st.lists(
    st.tuples(st.integers(0, 14), st.integers(0, 14)).filter(lambda pair: sum(pair) % 2 == 1),
    max_size=30,
    unique=True,
)


def boxes(picture: ET.Element) -> list[tuple[float, ...]]:
    return [
        tuple(float(box.attrib[name]) for name in ("x", "y", "width", "height"))
        for box in picture.iter(f"{SVG}rect")
        if box.attrib["width"] != "100%"
    ]


@given(Pairs)
def test_boxes_of_any_graph_stand_in_the_picture_and_apart(pairs: list[tuple[int, int]]) -> None:
    graph = graph_of(pairs)
    picture = ET.fromstring(lineage_svg(graph, title="t"))

    width, height = float(picture.attrib["width"]), float(picture.attrib["height"])
    placed = boxes(picture)
    assert len(placed) == len(graph.distances)
    for place, (x, y, w, h) in enumerate(placed):
        assert 0 <= x <= x + w <= width
        assert 0 <= y <= y + h <= height
        for other_x, other_y, other_w, other_h in placed[place + 1 :]:
            apart = x + w <= other_x or other_x + other_w <= x
            assert apart or y + h <= other_y or other_y + other_h <= y
    # A curve and an arrow head for each arrow.
    assert len(list(picture.iter(f"{SVG}path"))) == 2 * len(pairs)
    assert len(re.findall(r" --> ", lineage_mermaid(graph))) == len(pairs)


@given(Pairs)
def test_arrows_go_to_the_right_but_those_that_close_a_cycle(pairs: list[tuple[int, int]]) -> None:
    layout = laid_out(15, pairs, heights=(2, 1))
    layer_of = {slot: place for place, layer in enumerate(layout.layers) for slot in layer}

    for number, (way, pair) in enumerate(zip(layout.ways, pairs, strict=True)):
        ends = (way[-1], way[0]) if number in layout.backwards else (way[0], way[-1])
        assert ends == pair
        layers = [layer_of[slot] for slot in way]
        assert layers == list(range(layers[0], layers[-1] + 1))
        assert len(way) > 1
    assert laid_out(15, pairs, heights=(2, 1)) == layout


def test_a_graph_without_cycles_has_no_arrow_backwards() -> None:
    pairs = [(source, target) for source in range(12) for target in range(source + 1, 12, 2)]
    assert laid_out(12, pairs, heights=(2, 1)).backwards == frozenset()
    ring = [(number, (number + 1) % 6) for number in range(6)]
    assert laid_out(6, ring, heights=(2, 1)).backwards == {5}


def test_crossed_arrows_are_untangled() -> None:
    pairs = [(0, 7), (1, 6), (2, 5), (3, 4)]
    layout = laid_out(8, pairs, heights=(2, 1))
    left, right = layout.layers
    places = {slot: place for place, slot in enumerate(right)}
    order = [places[dict(pairs)[slot]] for slot in left]
    assert order == sorted(order)
    for source, target in pairs:
        assert layout.middles[source] == pytest.approx(layout.middles[target])


def test_a_column_made_of_itself_has_a_loop() -> None:
    column = ColumnKey(TableKey("s", "t"), "total")
    arrow = Arrow(column, column, at(0), EtlKey("adding"))
    graph = LineageGraph(column, {column: 0}, (arrow,), frozenset(), truncated=False)
    picture = ET.fromstring(lineage_svg(graph, title="t"))
    assert len(list(picture.iter(f"{SVG}path"))) == 1
    assert '-->|"adding"| c1' in lineage_mermaid(graph)
