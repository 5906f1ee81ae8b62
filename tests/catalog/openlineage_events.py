"""Events of OpenLineage, sent to a catalog, and what it wrote of them."""

from typing import Any
from urllib.parse import quote

import httpx2

from tests.catalog.conftest import Catalog
from tests.support.waiting import until

PATH = "/api/v1/lineage"
SHOP = "postgres://db.example.com:5432/shop"
RUN = "01a2240a-336f-7775-86e8-2c1e10db91b9"


def dataset(name: str, namespace: str = "postgres://db.example.com:5432", **facets: Any) -> Any:
    return {"namespace": namespace, "name": name, "facets": facets}


def event(
    type_: str, second: int, *, run: str = RUN, job: str = "load", **more: Any
) -> dict[str, Any]:
    return {
        "eventType": type_,
        "eventTime": f"2026-11-28T21:22:{second:02}.000000+00:00",
        "run": {"runId": run, "facets": more.pop("run_facets", {})},
        "job": {"namespace": "dbt", "name": job, "facets": more.pop("job_facets", {})},
        "producer": "https://example.com/producer",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        **more,
    }


async def post(catalog: Catalog, body: Any, path: str = PATH, **more: Any) -> httpx2.Response:
    return await catalog.send("POST", path, body, **more)


async def send(catalog: Catalog, *events: dict[str, Any]) -> None:
    """Send events one by one, and wait until they are applied."""
    for each in events:
        answer = await post(catalog, each)
        assert answer.status_code == 200, answer.text
    await applied(catalog)


async def applied(catalog: Catalog) -> None:
    async def empty() -> bool:
        [(left,)] = await catalog.rows(
            "SELECT count(*) FROM catalog.lineage_inbox WHERE error IS NULL"
        )
        return bool(left == 0)

    await until("the events are applied", empty)


async def runs(catalog: Catalog, etl: str = "load") -> list[dict[str, Any]]:
    answer = await catalog.get(f"/api/catalog/etls/{quote(etl)}/runs")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def everything(catalog: Catalog) -> list[list[tuple[Any, ...]]]:
    """All that events write, by natural keys: ids depend on the order."""
    table = "(SELECT namespace || '/' || schema_name || '/' || name FROM catalog.tables WHERE id ="
    etl = "(SELECT namespace || '/' || name FROM catalog.etls WHERE id ="
    queries = (
        (
            f"SELECT {etl} etl_id), id, state, started_at, ended_at, error, parent_run,"
            " first_event, last_event FROM catalog.runs"
        ),
        *(
            f"SELECT {etl} etl_id), {table} table_id), first_seen, last_seen, last_run"
            f" FROM catalog.{name}"
            for name in ("edges", "inputs")
        ),
        f"SELECT {table} table_id), name, content, at FROM catalog.table_facets",
        f"SELECT {etl} etl_id), name, content, at FROM catalog.etl_facets",
        (
            f"SELECT run_id, place, coalesce({table} table_id), ''), name, content, at"
            " FROM catalog.run_facets"
        ),
        (
            f"SELECT {etl} etl_id), {table} output_table_id), output_column,"
            f" {table} input_table_id), input_column, type, subtype, masking, last_seen"
            " FROM catalog.column_edges"
        ),
    )
    return [sorted(await catalog.rows(query), key=str) for query in queries]


STORY = (
    event(
        "START",
        1,
        inputs=[dataset("shop.public.orders")],
        outputs=[dataset("shop.public.report", schema={"fields": [{"name": "a", "type": "int"}]})],
        run_facets={
            "parent": {
                "run": {"runId": "parent-run"},
                "job": {"namespace": "airflow", "name": "daily"},
            }
        },
    ),
    event("RUNNING", 2, inputs=[], outputs=[]),
    event(
        "COMPLETE",
        3,
        inputs=[],
        outputs=[
            {
                **dataset(
                    "shop.public.report",
                    schema={"fields": [{"name": "a", "type": "bigint"}]},
                    columnLineage={
                        "fields": {
                            "a": {
                                "inputFields": [
                                    {
                                        "namespace": "postgres://db.example.com:5432",
                                        "name": "shop.public.orders",
                                        "field": "id",
                                        "transformations": [
                                            {
                                                "type": "DIRECT",
                                                "subtype": "IDENTITY",
                                                "masking": False,
                                            }
                                        ],
                                    }
                                ]
                            }
                        }
                    },
                ),
                "outputFacets": {"outputStatistics": {"rowCount": 100, "size": 4096}},
            }
        ],
    ),
)
