"""Events as dbt and Airflow sent them, recorded from their own runs.

`dbt_1_54.jsonl`: `dbt-ol build` and `dbt-ol run` (openlineage-dbt 1.54.0, dbt-postgres) of a
project with a table, a view over it, a test that fails and a model that is skipped.
`airflow_2_20.jsonl`: a run of a DAG in Airflow 3 with apache-airflow-providers-openlineage 2.20.3,
one task done and one failed.
"""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.catalog.conftest import Catalog
from tests.catalog.openlineage_events import SHOP, post, runs, send

FOLDER = Path(__file__).parent / "openlineage"


def recorded(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / name).read_text().splitlines()]


async def send_all(catalog: Catalog, events: list[dict[str, Any]], order: str) -> None:
    """As they came, or as they may come: mixed up, and some of them twice."""
    if order == "mixed up":
        chance = random.Random(18)
        events = events + chance.sample(events, len(events) // 2)
        chance.shuffle(events)
    await send(catalog, *events)
    assert await catalog.rows("SELECT error FROM catalog.lineage_inbox") == []


async def walk(catalog: Catalog, table: str, **params: Any) -> list[tuple[str, int]]:
    asked = {"table": table, "direction": "upstream", **params}
    nodes = (await catalog.get("/api/catalog/lineage", asked)).json()["nodes"]
    label = "column" if "column" in params else "name"
    return [
        (f"{node['table']}.{node['column']}" if label == "column" else node["name"],
         node["distance"])
        for node in nodes
        if node["kind"] != "etl"
    ]  # fmt: skip


@pytest.mark.parametrize("order", ["as they came", "mixed up"])
async def test_dbt(catalog: Catalog, order: str) -> None:
    await send_all(catalog, recorded("dbt_1_54.jsonl"), order)

    states = {
        name: [run["state"] for run in await runs(catalog, name)]
        for name in (
            "shop.marts.shop.customers", "shop.marts.shop.spendings.build.run",
            "shop.marts.shop.customers.build.test", "shop.marts.shop.spendings.build.test",
        )
    }  # fmt: skip
    assert list(states.values()) == [["succeeded"], ["succeeded"], ["succeeded"], ["failed"]]
    whole = await runs(catalog, "dbt-run-shop")
    assert sorted(run["state"] for run in whole) == ["failed", "succeeded"]
    [model] = await runs(catalog, "shop.marts.shop.customers")
    assert model["parent_run"] in {run["id"] for run in whole}

    customers = await catalog.table("marts", "customers")
    assert customers["namespace"] == SHOP
    assert [column["name"] for column in customers["columns"]] == ["id", "name"]
    assert customers["columns"][1]["description"] == "First and last name"
    assert await walk(catalog, "marts.spendings") == [
        ("spendings", 0), ("customers", -1), ("raw_orders", -1), ("raw_customers", -2),
    ]  # fmt: skip
    names = dict(await walk(catalog, "marts.spendings", column="name"))
    assert names["customers.name"] == -1
    assert names["raw_customers.first_name"] == names["raw_customers.last_name"] == -2


@pytest.mark.parametrize("order", ["as they came", "mixed up"])
async def test_airflow(catalog: Catalog, order: str) -> None:
    await send_all(catalog, recorded("airflow_2_20.jsonl"), order)

    [loaded] = await runs(catalog, "shop.load_orders")
    assert (loaded["state"], loaded["nominal_start"]) == ("succeeded", "2026-11-28T00:00:00Z")
    [failed] = await runs(catalog, "shop.check")
    assert (failed["state"], failed["error"]) == ("failed", "boom")
    [dag] = await runs(catalog, "shop")
    assert dag["state"] == "failed"
    assert loaded["parent_run"] == failed["parent_run"] == dag["id"]
    assert await walk(catalog, "marts.orders") == [("orders", 0), ("raw_orders", -1)]
    facets = (await catalog.get("/api/catalog/etls/shop.load_orders/facets")).json()["facets"]
    assert facets["ownership"]["owners"][0]["name"] == "ann"


async def test_both_in_one_batch(catalog: Catalog) -> None:
    events = recorded("dbt_1_54.jsonl") + recorded("airflow_2_20.jsonl")
    answer = await post(catalog, events, "/api/v1/lineage/batch")
    assert answer.json()["summary"]["successful"] == len(events)
