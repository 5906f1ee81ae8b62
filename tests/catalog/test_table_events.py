"""Tables that are made, renamed and dropped, told in any order."""

from itertools import permutations
from typing import Any

import pytest

from tests.catalog.conftest import Catalog, at
from tests.support.issuer import peer

CREATED: dict[str, Any] = {"kind": "created", "name": "a", "minute": 0, "description": "orders"}
RENAMED: dict[str, Any] = {"kind": "renamed", "name": "a", "minute": 2, "new_name": "b"}
RENAMED_AGAIN: dict[str, Any] = {"kind": "renamed", "name": "b", "minute": 4, "new_name": "c"}
DROPPED: dict[str, Any] = {"kind": "dropped", "name": "c", "minute": 6}
EDGE = "edge"
TALE = [CREATED, EDGE, RENAMED, RENAMED_AGAIN, DROPPED]


async def tell(catalog: Catalog, news: Any) -> None:
    if news is EDGE:
        await catalog.see_edge("nightly", "data", "a", import_id=5, minute=1)
    else:
        await catalog.see_table(**news)


async def present(catalog: Catalog) -> list[tuple[Any, ...]]:
    return await catalog.rows("SELECT name, dropped_at FROM catalog.tables ORDER BY name")


async def test_a_made_table_enters_the_catalog(catalog: Catalog) -> None:
    await catalog.see_table("created", "Customer", minute=0, description="who buys")

    table = await catalog.table("data", "Customer")
    assert table["description"] == "who buys"
    assert table["dropped_at"] is None
    assert table["first_seen"].startswith("2026-03-01T08:00:00")


async def test_a_dropped_table_keeps_its_edges_and_is_marked(catalog: Catalog) -> None:
    await catalog.see_table("created", "Customer", minute=0)
    await catalog.see_edge("nightly", "data", "Customer", minute=1)
    await catalog.see_table("dropped", "Customer", minute=2)

    table = await catalog.table("data", "Customer")
    assert table["dropped_at"].startswith("2026-03-01T08:02:00")
    assert [etl["name"] for etl in table["etls"]] == ["nightly"]
    assert await catalog.tables_of("nightly") == [("data", "Customer")]


async def test_a_table_made_again_is_no_longer_dropped(catalog: Catalog) -> None:
    await catalog.see_table("created", "Customer", minute=0, description="old")
    await catalog.see_table("dropped", "Customer", minute=1)
    await catalog.see_table("created", "Customer", minute=2, description="new")
    await catalog.see_table("dropped", "Customer", minute=1)

    table = await catalog.table("data", "Customer")
    assert table["dropped_at"] is None
    assert table["description"] == "new"


@pytest.mark.parametrize("order", list(permutations(range(len(TALE))))[::5])
async def test_the_tale_of_a_table_ends_the_same_in_any_order(
    catalog: Catalog, order: tuple[int, ...]
) -> None:
    for position in order:
        await tell(catalog, TALE[position])
        await tell(catalog, TALE[position])

    assert await present(catalog) == [("c", at(6))]
    assert await catalog.tables_of("nightly") == [("data", "c")]
    table = await catalog.table("data", "c")
    assert table["former_names"] == ["b", "a"]
    assert table["description"] == "orders"
    assert [(etl["first_import"], etl["last_import"]) for etl in table["etls"]] == [(5, 5)]


async def test_a_name_given_up_and_taken_again_is_another_table(catalog: Catalog) -> None:
    await catalog.see_table("created", "a", minute=0)
    await catalog.see_edge("old etl", "data", "a", import_id=1, minute=1)
    await catalog.see_table("renamed", "a", minute=2, new_name="archive")
    await catalog.see_table("created", "a", minute=3)
    await catalog.see_edge("new etl", "data", "a", import_id=2, minute=4)
    await catalog.see_edge("late etl", "data", "a", import_id=3, minute=1.5)

    assert await present(catalog) == [("a", None), ("archive", None)]
    assert [etl["name"] for etl in (await catalog.table("data", "a"))["etls"]] == ["new etl"]
    archive = await catalog.table("data", "archive")
    assert [etl["name"] for etl in archive["etls"]] == ["late etl", "old etl"]


async def test_a_late_rename_leaves_the_new_table_of_the_name_alone(catalog: Catalog) -> None:
    await catalog.see_edge("old etl", "data", "a", import_id=1, minute=1)
    await catalog.see_table("created", "a", minute=3)
    await catalog.see_edge("new etl", "data", "a", import_id=2, minute=4)
    await catalog.see_table("renamed", "a", minute=2, new_name="archive")

    assert await present(catalog) == [("a", None), ("archive", None)]
    assert await catalog.tables_of("old etl") == [("data", "archive")]
    assert await catalog.tables_of("new etl") == [("data", "a")]


@pytest.mark.parametrize("late", [False, True])
async def test_a_table_renamed_there_and_back_is_one_table(catalog: Catalog, late: bool) -> None:
    await catalog.see_table("created", "a", minute=0)
    await catalog.see_edge("nightly", "data", "a", minute=1)
    renames = [("a", "b", 2), ("b", "a", 3)]
    for old, new, minute in reversed(renames) if late else renames:
        await catalog.see_table("renamed", old, minute=minute, new_name=new)

    assert await present(catalog) == [("a", None)]
    assert await catalog.tables_of("nightly") == [("data", "a")]


async def test_edges_of_one_etl_meet_when_a_table_takes_a_dropped_ones_name(
    catalog: Catalog,
) -> None:
    await catalog.see_table("created", "old", minute=0)
    await catalog.see_edge("nightly", "data", "old", import_id=1, minute=1)
    await catalog.see_table("dropped", "old", minute=2)
    await catalog.see_table("created", "new", minute=3)
    await catalog.see_edge("nightly", "data", "new", import_id=2, minute=4)
    await catalog.see_table("renamed", "new", minute=5, new_name="old")

    assert await present(catalog) == [("old", None)]
    [edge] = (await catalog.table("data", "old"))["etls"]
    assert (edge["first_import"], edge["last_import"]) == (1, 2)


@pytest.mark.parametrize(
    "event", [{"kind": "renamed"}, {"kind": "created", "new_name": "b"}, {"kind": "vanished"}]
)
async def test_an_event_that_says_too_much_or_too_little_is_refused(
    catalog: Catalog, event: dict[str, str]
) -> None:
    body = {"schema_name": "data", "table_name": "a", "occurred_at": at(0).isoformat(), **event}
    answer = await catalog.send(
        "POST", "/internal/catalog/table-events", body, caller=peer("records")
    )

    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_input"
