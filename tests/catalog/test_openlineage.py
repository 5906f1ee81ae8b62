"""OpenLineage in: events in any order and twice, of every kind, and whatever their facets hold."""

import itertools
import json
import uuid
from pathlib import Path

import pytest

from shared.contracts.auth import Role
from shared.contracts.records import TableName, VisibleTable
from tests.catalog.conftest import Catalog
from tests.catalog.openlineage_events import (
    PATH,
    RUN,
    SHOP,
    STORY,
    applied,
    dataset,
    event,
    everything,
    post,
    runs,
    send,
)
from tests.catalog.test_details import customer
from tests.catalog.test_details import run as imported
from tests.support.issuer import person
from tests.support.profile import only_in_full

RECORDED = Path(__file__).parent / "openlineage" / "client_1_54.jsonl"


async def test_a_run_with_its_datasets_and_columns(catalog: Catalog) -> None:
    await send(catalog, *STORY)

    [run] = await runs(catalog)
    assert (run["id"], run["state"]) == (RUN, "succeeded")
    assert (run["started_at"], run["ended_at"]) == ("2026-11-28T21:22:01Z", "2026-11-28T21:22:03Z")
    assert (run["parent_run"], run["parent_namespace"], run["parent_job"]) == (
        "parent-run",
        "airflow",
        "daily",
    )
    report = await catalog.table("public", "report")
    assert report["namespace"] == SHOP
    assert [(etl["name"], etl["namespace"]) for etl in report["etls"]] == [("load", "dbt")]
    assert [(column["name"], column["type"]) for column in report["columns"]] == [("a", "bigint")]
    assert report["columns_from"] == "openlineage"
    assert await catalog.tables_of("load") == [("public", "report")]
    assert await catalog.rows("SELECT count(*) FROM catalog.inputs") == [(1,)]
    answer = await catalog.get(f"/api/catalog/etls/load/runs/{RUN}")
    [output] = [d for d in answer.json()["datasets"] if d["place"] == "output"]
    assert (output["name"], output["facets"]["outputStatistics"]["rowCount"]) == ("report", 100)
    assert await catalog.rows(
        "SELECT output_column, input_column, type, subtype FROM catalog.column_edges"
    ) == [("a", "id", "DIRECT", "IDENTITY")]


@only_in_full
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_events_come_in_any_order_and_twice(catalog: Catalog, order: tuple[int, ...]) -> None:
    await send(catalog, *STORY)
    expected = await everything(catalog)
    assert all(expected[:4])
    await send(catalog, *STORY)
    assert await everything(catalog) == expected

    await catalog.empty()
    for place in order:
        await send(catalog, STORY[place], STORY[place])
    assert await everything(catalog) == expected
    await catalog.empty()
    batch = await post(catalog, [STORY[place] for place in (*order, *order)], f"{PATH}/batch")
    assert batch.json()["summary"]["successful"] == 6
    await applied(catalog)
    assert await everything(catalog) == expected


@pytest.mark.parametrize(
    ("types", "state"),
    [
        (("START",), "running"),
        (("START", "RUNNING"), "running"),
        (("OTHER",), "running"),
        (("SOMETHING",), "running"),
        (("START", "COMPLETE"), "succeeded"),
        (("START", "FAIL"), "failed"),
        (("START", "ABORT"), "cancelled"),
        (("COMPLETE", "START"), "succeeded"),
        (("FAIL", "COMPLETE"), "succeeded"),
        (("COMPLETE", "FAIL"), "failed"),
    ],
)
async def test_the_last_end_is_the_state(
    catalog: Catalog, types: tuple[str, ...], state: str
) -> None:
    await send(catalog, *(event(type_, second) for second, type_ in enumerate(types)))
    [run] = await runs(catalog)
    assert run["state"] == state


async def test_recorded_events_of_the_python_client(catalog: Catalog) -> None:
    recorded = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    await send(catalog, *recorded)

    assert await catalog.rows("SELECT error FROM catalog.lineage_inbox") == []
    by_id = {run["id"]: run for run in await runs(catalog, "shop.load_customers")}
    assert [run["state"] for run in by_id.values()].count("succeeded") >= 1
    failed = next(run for run in by_id.values() if run["state"] == "failed")
    assert failed["error"] == "boom"
    answer = await catalog.get("/api/catalog/etls/shop.load_customers/facets")
    assert answer.json()["facets"]["sql"]["query"].startswith("insert into customers")
    customer = await catalog.table("data", "Customer")
    assert customer["namespace"] == "postgres://warehouse.example.com:5432/shop"
    aborted = await runs(catalog, "empty-namespace")
    assert aborted[0]["state"] == "cancelled"


async def test_no_datasets_are_no_removal(catalog: Catalog) -> None:
    await send(catalog, STORY[0], event("COMPLETE", 9))
    assert await catalog.tables_of("load") == [("public", "report")]
    assert await catalog.rows("SELECT count(*) FROM catalog.inputs") == [(1,)]


async def test_job_and_dataset_events(catalog: Catalog) -> None:
    job = {key: value for key, value in STORY[0].items() if key not in ("run", "eventType")}
    documented = dataset("shop.public.report", documentation={"description": "What was sold"})
    about_data = {
        "eventTime": "2026-11-28T21:22:05Z",
        "producer": "p",
        "dataset": documented,
    }
    await send(catalog, job, about_data)

    assert await catalog.tables_of("load") == [("public", "report")]
    assert await runs(catalog) == []
    facets = (await catalog.get("/api/catalog/tables/public/report/facets")).json()["facets"]
    assert facets["documentation"] == {"description": "What was sold"}
    assert sorted(facets) == ["documentation", "schema"]


async def test_names_of_our_own_database_find_the_tables_made_here(catalog: Catalog) -> None:
    await catalog.see_table("created", "Customer", minute=0)
    port, name = catalog.database.cluster.port, catalog.database.name
    for host in ("localhost", "127.0.0.1"):
        output = dataset(f"{name}.data.Customer", f"postgres://{host}:{port}")
        await send(catalog, event("COMPLETE", 1, run=host, job=host, outputs=[output]))
    await catalog.see_table("renamed", "Customer", new_name="Client", minute=5)
    output = dataset(f"{name}.data.Customer", f"postgresql://LOCALHOST:{port}")
    await send(catalog, event("COMPLETE", 2, job="late", outputs=[output]))

    client = await catalog.table("data", "Client")
    assert client["namespace"] is None
    assert sorted(etl["name"] for etl in client["etls"]) == ["127.0.0.1", "late", "localhost"]
    assert await catalog.rows("SELECT count(*) FROM catalog.tables") == [(1,)]


async def test_what_is_reported_of_a_private_table_is_for_those_who_may_see_it(
    catalog: Catalog,
) -> None:
    await catalog.see_table("created", "Secret", minute=0)
    port, name = catalog.database.cluster.port, catalog.database.name
    schema = {"fields": [{"name": "salary", "type": "int"}]}
    output = {
        **dataset(f"{name}.data.Secret", f"postgres://localhost:{port}", schema=schema),
        "outputFacets": {"outputStatistics": {"rowCount": 1}},
    }
    await send(catalog, event("COMPLETE", 1, outputs=[output]))
    owner, admin = person("owner@example.com"), person("root@example.com", role=Role.ADMIN)
    catalog.peers.tables["Secret", owner.sub] = VisibleTable(
        table=TableName("Secret"), columns=(), level="owner"
    )

    for caller, shown in ((catalog.reader, False), (owner, True), (admin, True)):
        facets = await catalog.get("/api/catalog/tables/data/Secret/facets", caller=caller)
        assert bool(facets.json()["facets"]) is shown
        run = await catalog.get(f"/api/catalog/etls/load/runs/{RUN}", caller=caller)
        assert bool(run.json()["datasets"]) is shown
    assert (await catalog.table("data", "Secret"))["columns"] is None


async def test_runs_come_in_pages_and_by_state(catalog: Catalog) -> None:
    sent = [
        event("FAIL" if number % 3 else "COMPLETE", number, run=str(uuid.uuid4()))
        for number in range(7)
    ]
    await send(catalog, *sent)
    listed, path = [], "/api/catalog/etls/load/runs?limit=3"
    while path:
        body = (await catalog.get(path)).json()
        listed += [run["id"] for run in body["items"]]
        path = body["next"]
    assert listed == [each["run"]["runId"] for each in reversed(sent)]
    failed = (await catalog.get("/api/catalog/etls/load/runs", {"state": "failed"})).json()
    assert len(failed["items"]) == 4
    assert (await catalog.get("/api/catalog/etls/load/runs/none")).json()["code"] == "run_unknown"


async def test_the_runs_of_our_own_etls_are_its_imports(catalog: Catalog) -> None:
    await customer(catalog)
    catalog.peers.imports.append(imported(10, state="failed", table=None, kind="catalog_file"))
    listed = await runs(catalog, "customers.csv")
    assert [(each["id"], each["state"]) for each in listed] == [
        ("import:9", "succeeded"),
        ("import:10", "failed"),
    ]
    bob = person("bob@example.com")
    answer = await catalog.get("/api/catalog/etls/customers.csv/runs", caller=bob)
    assert [each["id"] for each in answer.json()["items"]] == ["import:10"]
