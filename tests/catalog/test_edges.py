"""Edges as imports report them."""

import asyncio
from collections.abc import Mapping
from itertools import permutations
from typing import Any

import asyncpg
import pytest

from tests.catalog.conftest import Catalog, at
from tests.support.issuer import peer, person


async def test_an_edge_makes_what_it_names(catalog: Catalog) -> None:
    await catalog.see_edge("nightly", "sales", "orders", import_id=7, minute=3)

    assert await catalog.tables_of("nightly") == [("sales", "orders")]
    table = await catalog.table("sales", "orders")
    assert table["etl_count"] == 1
    [edge] = table["etls"]
    assert edge["name"] == "nightly"
    assert (edge["first_import"], edge["last_import"]) == (7, 7)
    assert edge["first_seen"] == edge["last_seen"] == at(3).isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
async def test_an_edge_knows_its_first_and_last_import_in_any_order(
    catalog: Catalog, order: tuple[int, ...]
) -> None:
    for number in (*order, *order):
        await catalog.see_edge(
            "nightly", "sales", "orders", import_id=10 + number, minute=float(number)
        )

    assert await catalog.rows(
        "SELECT first_import, last_import, first_seen, last_seen FROM catalog.edges"
    ) == [(10, 12, at(0), at(2))]


def sighting(
    etl: str,
    table: str,
    *,
    import_id: int = 1,
    minute: float = 0,
    read: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    return {
        "etl_name": etl,
        "schema_name": "data",
        "table_name": table,
        "import_id": import_id,
        "seen_at": at(minute).isoformat(),
        "read": read,
    }


READ = {
    "namespace": "postgres://shop.example.com:5432/shop",
    "schema_name": "public",
    "table_name": "customers",
    "columns": {"name": "full_name"},
}


@pytest.mark.parametrize("order", [*permutations(range(3)), (1, 1, 0, 2)])
async def test_edges_that_come_together_are_as_edges_one_by_one(
    catalog: Catalog, order: tuple[int, ...]
) -> None:
    edges = [
        sighting("nightly", "orders", import_id=10 + number, minute=number) for number in order
    ] + [sighting("nightly", "items"), sighting("other", "orders", import_id=20)]

    for _ in range(2):
        await catalog.tell("edges/all", {"edges": edges})

    assert await catalog.rows(
        "SELECT e.name, t.name, d.first_import, d.last_import, d.first_seen, d.last_seen"
        " FROM catalog.edges d JOIN catalog.etls e ON e.id = etl_id"
        " JOIN catalog.tables t ON t.id = table_id ORDER BY 1, 2"
    ) == [
        ("nightly", "items", 1, 1, at(0), at(0)),
        ("nightly", "orders", 10, 12, at(0), at(2)),
        ("other", "orders", 20, 20, at(0), at(0)),
    ]


async def test_edges_that_come_together_are_of_the_tables_that_had_their_names_then(
    catalog: Catalog,
) -> None:
    await catalog.see_table("created", "orders", minute=0)
    await catalog.see_table("renamed", "orders", minute=2, new_name="old_orders")
    await catalog.see_table("created", "orders", minute=3)

    earlier, later = (
        sighting("a", "orders", minute=1),
        sighting("b", "orders", import_id=2, minute=4),
    )
    await catalog.tell("edges/all", {"edges": [later, earlier]})

    assert await catalog.tables_of("a") == [("data", "old_orders")]
    assert await catalog.tables_of("b") == [("data", "orders")]


async def test_edges_that_come_together_in_any_order_do_not_wait_for_each_other(
    catalog: Catalog,
) -> None:
    edges = [
        sighting(
            f"etl {n % 7}", f"t{n % 5}", import_id=n + 1, minute=n, read=READ if n % 2 else None
        )
        for n in range(40)
    ]
    bodies = [{"edges": edges[n:] + edges[:n]} for n in range(12)]
    await asyncio.gather(*(catalog.tell("edges/all", body) for body in bodies))

    assert await catalog.rows("SELECT count(*) FROM catalog.edges") == [(35,)]
    assert await catalog.rows("SELECT count(*) FROM catalog.inputs") == [(7,)]


async def test_of_edges_that_come_together_one_that_does_not_fit_is_named(catalog: Catalog) -> None:
    edges = [sighting("a", "t"), {**sighting("b", "t"), "import_id": 0}]

    bodies = {"edges.1.import_id": edges, "edges": edges[:1] * 101}
    for field, sent in bodies.items():
        answer = await catalog.send(
            "POST", "/internal/catalog/edges/all", {"edges": sent}, caller=peer("ingest")
        )
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert await catalog.rows("SELECT count(*) FROM catalog.etls") == [(0,)]


async def test_an_import_from_a_database_leads_back_to_the_table_it_read(catalog: Catalog) -> None:
    read = sighting("nightly", "orders", import_id=7, minute=3, read=READ)
    for _ in range(2):
        await catalog.tell("edges", read)

    upstream = {"table": "data.orders", "direction": "upstream"}
    walk = (await catalog.get("/api/catalog/lineage", upstream)).json()
    assert [(node["name"], node["namespace"], node["distance"]) for node in walk["nodes"]] == [
        ("orders", None, 0),
        ("nightly", None, -1),
        ("customers", READ["namespace"], -1),
    ]
    columns = await catalog.rows("SELECT output_column, input_column FROM catalog.column_edges")
    assert columns == [("name", "full_name")]

    await undo(catalog, import_id=7, minute=4)
    walk = (await catalog.get("/api/catalog/lineage", upstream)).json()
    assert [node["name"] for node in walk["nodes"]] == ["orders"]
    assert await catalog.rows("SELECT * FROM catalog.inputs") == []
    assert await catalog.rows("SELECT * FROM catalog.column_edges") == []


async def undo(catalog: Catalog, *, import_id: int, minute: float) -> None:
    body = {"etl_name": "nightly", "schema_name": "data", "table_name": "orders"}
    times = {"import_id": import_id, "undone_at": at(minute).isoformat()}
    await catalog.tell("edges/undone", body | times)


async def test_an_edge_whose_only_import_was_undone_is_a_removed_one(catalog: Catalog) -> None:
    await undo(catalog, import_id=1, minute=0)
    await catalog.see_edge("nightly", "data", "orders", import_id=1, minute=1)
    for _ in range(2):
        await undo(catalog, import_id=1, minute=2)
    etl = (await catalog.get("/api/catalog/etls/nightly")).json()
    assert etl["tables"] == []
    assert [(edge["table"], edge["reason"], edge["removed_by"]) for edge in etl["removed"]] == [
        ("orders", "undone", None)
    ]
    await catalog.see_edge("nightly", "data", "orders", import_id=3, minute=3)
    await undo(catalog, import_id=1, minute=2)
    assert await catalog.tables_of("nightly") == [("data", "orders")]


async def test_edges_told_at_once_are_told_once(catalog: Catalog) -> None:
    await asyncio.gather(
        *(
            catalog.see_edge(f"etl {n % 2}", "sales", f"t{n % 3}", import_id=n + 1, minute=n)
            for n in range(24)
        )
    )

    assert await catalog.rows("SELECT count(*) FROM catalog.edges") == [(6,)]
    assert await catalog.rows("SELECT count(*) FROM catalog.tables") == [(3,)]


@pytest.mark.parametrize(
    "name",
    ["load 1", "a/b", "100 %", "%2F", "Łódź", "таблица", "表", "a?b#c", "a..b", "x;y=z", '"q" \\'],
)
async def test_any_letters_stand_in_names(catalog: Catalog, name: str) -> None:
    await catalog.see_edge(name, f"s {name}", f"t {name}")

    assert await catalog.tables_of(name) == [(f"s {name}", f"t {name}")]
    assert (await catalog.table(f"s {name}", f"t {name}"))["etls"][0]["name"] == name


async def test_unknown_etl_is_404(catalog: Catalog) -> None:
    answer = await catalog.get("/api/etl/nobody/tables")

    assert answer.status_code == 404
    assert answer.json()["code"] == "etl_unknown"


async def test_verb_face_answers_exactly_the_agreed_body(catalog: Catalog) -> None:
    await catalog.see_edge("e", "b", "t2")
    await catalog.see_edge("e", "a", "t1")
    await catalog.see_edge("other", "a", "t3")

    answer = await catalog.get("/api/etl/e/tables")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "name": "e",
        "tables": [{"name": "t1", "schema": "a"}, {"name": "t2", "schema": "b"}],
    }


async def test_an_etl_without_tables_has_an_empty_list(catalog: Catalog) -> None:
    await catalog.send("POST", "/api/catalog/etls", {"name": "idle"})

    assert (await catalog.get("/api/etl/idle/tables")).json() == {"name": "idle", "tables": []}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("etl_name", ""),
        ("etl_name", " \t"),
        ("table_name", "a\0b"),
        ("schema_name", "x" * 501),
        ("import_id", 0),
        ("import_id", 2**63),
        ("seen_at", "2026-03-01T08:00:00"),
        ("more", 1),
    ],
)
async def test_an_edge_that_does_not_fit_is_refused_by_field(
    catalog: Catalog, field: str, value: object
) -> None:
    edge = {
        "etl_name": "e",
        "schema_name": "s",
        "table_name": "t",
        "import_id": 1,
        "seen_at": at(0).isoformat(),
    } | {field: value}

    answer = await catalog.send("POST", "/internal/catalog/edges", edge, caller=peer("ingest"))

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert await catalog.rows("SELECT count(*) FROM catalog.etls") == [(0,)]


async def test_people_cannot_tell_what_services_tell(catalog: Catalog) -> None:
    answer = await catalog.send(
        "POST", "/internal/catalog/edges", {}, caller=person("eve@example.com")
    )

    assert answer.status_code == 403
    assert answer.json()["code"] == "scope_missing"


async def test_an_etl_of_thousands_of_tables_is_answered_whole(catalog: Catalog) -> None:
    lines = "".join(f'{{"schema_name":"s","table_name":"t{n:04}"}}\n' for n in range(2500))
    merged = await catalog.stream("merge", lines.encode(), import_id=1, etl="big")
    assert merged.json()["inserted"] == 2500

    assert await catalog.tables_of("big") == [("s", f"t{n:04}") for n in range(2500)]


async def test_a_writer_does_not_wait_long_for_a_merge_and_readers_not_at_all(
    catalog: Catalog,
) -> None:
    await catalog.see_edge("e", "s", "t")
    merging = await asyncpg.connect(catalog.database.url("catalog"))
    try:
        async with merging.transaction():
            await merging.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended('tabularium.catalog', 0))"
            )
            assert await catalog.tables_of("e") == [("s", "t")]
            answer = await catalog.send("POST", "/api/catalog/etls", {"name": "x"})
    finally:
        await merging.close()

    assert (answer.status_code, answer.json()["code"]) == (503, "catalog_busy")
    assert answer.headers["Retry-After"] == "5"
    assert (await catalog.send("POST", "/api/catalog/etls", {"name": "x"})).status_code == 201


async def test_readiness_names_the_database(catalog: Catalog) -> None:
    ready = await catalog.http.get("/readyz")

    assert ready.json() == {"status": "ok", "checks": {"postgresql": "ok"}}
