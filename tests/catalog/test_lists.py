"""The lists of schemas, tables and ETLs: search, pages, counts."""

from typing import Any

import pytest

from shared.contracts.auth import Scope
from tests.catalog.conftest import Catalog
from tests.support.issuer import machine


async def fill(catalog: Catalog) -> None:
    for number in range(7):
        await catalog.see_edge(f"etl {number % 3}", f"s{number % 2}", f"t{number}")
    await catalog.see_edge("etl 0", "s0", "Été_100%")


async def walk(catalog: Catalog, path: str, **params: Any) -> list[dict[str, Any]]:
    """Every item, by following `next` as it stands."""
    found: list[dict[str, Any]] = []
    answer = await catalog.get(path, params)
    while True:
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        if answer.json()["next"] is None:
            return found
        answer = await catalog.get(answer.json()["next"])


async def test_schemas_have_the_number_of_their_tables(catalog: Catalog) -> None:
    await fill(catalog)

    body = (await catalog.get("/api/catalog/schemas")).json()
    assert [(item["name"], item["table_count"]) for item in body["items"]] == [("s0", 5), ("s1", 3)]
    assert (body["total"], body["next"]) == (2, None)


async def test_etls_have_the_number_of_their_tables(catalog: Catalog) -> None:
    await fill(catalog)

    body = (await catalog.get("/api/catalog/etls")).json()
    counts = [(item["name"], item["table_count"]) for item in body["items"]]
    assert counts == [("etl 0", 4), ("etl 1", 2), ("etl 2", 2)]


async def test_tables_have_the_number_of_their_etls(catalog: Catalog) -> None:
    await fill(catalog)
    await catalog.see_edge("etl 2", "s0", "t0")

    body = (await catalog.get("/api/catalog/tables", {"schema": "s0", "limit": 1})).json()
    [first] = body["items"]
    assert (first["schema"], first["name"], first["etl_count"]) == ("s0", "t0", 2)
    assert body["total"] == 5


@pytest.mark.parametrize("start", [{"limit": 2}, {"limit": 3, "page": 1}, {"limit": 1000}])
async def test_pages_hold_every_table_once_and_in_order(
    catalog: Catalog, start: dict[str, int]
) -> None:
    await fill(catalog)

    found = await walk(catalog, "/api/catalog/tables", **start)
    names = [(item["schema"], item["name"]) for item in found]
    assert len(names) == 8
    assert names == sorted(names)


@pytest.mark.parametrize(
    ("q", "names"),
    [
        ("T1", ["t1"]),
        ("s0.t", ["t0", "t2", "t4", "t6"]),
        ("été", ["Été_100%"]),
        ("0%", ["Été_100%"]),
        ("%", ["Été_100%"]),
        ("_", ["Été_100%"]),
        ("\\", []),
        ("none such", []),
    ],
)
async def test_search_takes_every_letter_as_itself(
    catalog: Catalog, q: str, names: list[str]
) -> None:
    await fill(catalog)

    found = await walk(catalog, "/api/catalog/tables", q=q, limit=2)
    assert [item["name"] for item in found] == names


async def test_search_and_filters_stay_on_the_way_to_the_next_page(catalog: Catalog) -> None:
    await fill(catalog)

    body = (
        await catalog.get("/api/catalog/etls", {"q": "etl", "limit": 2, "count": "none"})
    ).json()
    assert body["total"] is None
    assert "q=etl" in body["next"]
    assert (await catalog.get(body["next"])).json()["items"][0]["name"] == "etl 2"


async def test_etls_are_found_by_their_description(catalog: Catalog) -> None:
    await catalog.send(
        "POST", "/api/catalog/etls", {"name": "x", "description": "Copies the shop's orders"}
    )

    found = await walk(catalog, "/api/catalog/etls", q="SHOP'S")
    assert [item["name"] for item in found] == ["x"]


async def test_dropped_tables_can_be_left_out_or_looked_for(catalog: Catalog) -> None:
    await catalog.see_table("created", "here", minute=0)
    await catalog.see_table("created", "gone", minute=0)
    await catalog.see_table("dropped", "gone", minute=1)

    for dropped, names in (("true", ["gone"]), ("false", ["here"])):
        found = await walk(catalog, "/api/catalog/tables", dropped=dropped)
        assert [item["name"] for item in found] == names
    assert len(await walk(catalog, "/api/catalog/tables")) == 2


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"page": "0"}, "page"),
        ({"cursor": "not one of ours"}, "cursor"),
        ({"cursor": "WyJhIl0"}, "cursor"),  # of a list with one name, and this one wants two
        ({"q": "a\0b"}, "q"),
        ({"pge": "2"}, "pge"),
        ({"dropped": "yes"}, "dropped"),
        ({"dropped": "1"}, "dropped"),
    ],
)
async def test_what_does_not_fit_is_refused_by_name(
    catalog: Catalog, params: dict[str, str], field: str
) -> None:
    answer = await catalog.get("/api/catalog/tables", params)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_a_page_and_a_cursor_at_once_are_refused(catalog: Catalog) -> None:
    await fill(catalog)
    following = (await catalog.get("/api/catalog/etls", {"limit": 1})).json()["next"]

    answer = await catalog.get(f"{following}&page=2")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "page_and_cursor"


@pytest.mark.parametrize("path", ["/api/catalog/schemas", "/api/etl/x/tables"])
async def test_reading_wants_a_token_with_the_scope(catalog: Catalog, path: str) -> None:
    unknown = await catalog.http.get(path)
    assert unknown.status_code == 401
    assert unknown.headers["WWW-Authenticate"] == "Bearer"

    wrong = await catalog.get(path, caller=machine("loader", Scope.CATALOG_WRITE))
    assert wrong.status_code == 403
