"""Facets of OpenLineage: kept as sent, up to their limits, whatever they hold."""

import json
from typing import Any

import pytest

from tests.catalog.conftest import Catalog
from tests.catalog.openlineage_events import PATH, RUN, applied, dataset, event, send


async def test_a_facet_that_an_event_deletes_is_gone_and_stays_so(catalog: Catalog) -> None:
    def described(second: int, content: Any) -> dict[str, Any]:
        changed = dataset("shop.public.report", documentation=content)
        return {"eventTime": f"2026-11-28T21:22:{second:02}Z", "producer": "", "dataset": changed}

    await send(catalog, described(1, {"description": "x"}), described(3, {"_deleted": True}))
    path = "/api/catalog/tables/public/report/facets"
    assert (await catalog.get(path)).json()["facets"] == {}
    await send(catalog, described(2, {"description": "older"}))
    assert (await catalog.get(path)).json()["facets"] == {}
    await send(catalog, described(4, {"description": "newer"}))
    assert (await catalog.get(path)).json()["facets"] == {"documentation": {"description": "newer"}}


async def test_the_newest_column_lineage_of_an_output_is_the_whole_of_it(catalog: Catalog) -> None:
    def described(second: int, *columns: str) -> dict[str, Any]:
        source = {"namespace": "n", "name": "source", "field": "x"}
        lineage = {"fields": {column: {"inputFields": [source]} for column in columns}}
        return event("RUNNING", second, outputs=[dataset("t", "n", columnLineage=lineage)])

    await send(catalog, described(1, "a", "b"), described(3, "b", "c"), described(2, "a", "d"))
    rows = await catalog.rows("SELECT output_column FROM catalog.column_edges ORDER BY 1")
    assert rows == [("b",), ("c",)]


async def test_numbers_that_jsonb_has_not_are_kept_as_texts(catalog: Catalog) -> None:
    headers = catalog.issuer.bearer(catalog.reader) | {"Content-Type": "application/json"}
    for second, (name, path) in enumerate((("a", PATH), ("b", f"{PATH}/batch"))):
        output = dataset(f"shop.public.{name}", m={"mean": "?", "max": "!"})
        sent = json.dumps(event("COMPLETE", second, outputs=[output]))
        sent = sent.replace('"?"', "NaN").replace('"!"', "1e999")
        content = f"[{sent}]" if path.endswith("/batch") else sent
        answer = await catalog.http.post(path, content=content, headers=headers)
        assert answer.json()["status"] == "success"
        await applied(catalog)
        kept = (await catalog.get(f"/api/catalog/tables/public/{name}/facets")).json()["facets"]
        assert kept == {"m": {"mean": "NaN", "max": "Infinity"}}


async def test_unknown_facets_are_kept_as_sent_up_to_their_limits(catalog: Catalog) -> None:
    odd = {"_producer": "x", "deep": [[{"n": 1.5}]], "text": "a\x00b", "ключ": None}
    facets = {"my_own": odd, "too_large": {"x": "y" * 70_000}, "no_object": [1, 2]}
    many = {f"facet_{number}": {"n": number} for number in range(1200)}
    await send(catalog, event("START", 1, job_facets=facets, run_facets=many))

    kept = (await catalog.get("/api/catalog/etls/load/facets")).json()["facets"]
    assert kept == {"my_own": {**odd, "text": "a\ufffdb"}, "no_object": [1, 2]}
    run = (await catalog.get(f"/api/catalog/etls/load/runs/{RUN}")).json()
    assert len(run["facets"]) == 1000


@pytest.mark.parametrize(
    "facets",
    [
        {"schema": {"fields": "none"}},
        {"schema": {"fields": [{"name": 1}, "x", {"name": "a", "type": []}]}},
        {"columnLineage": {"fields": {"a": {"inputFields": [{"name": "x"}, 7]}}, "dataset": 1}},
        {"columnLineage": []},
        {"schema": None},
    ],
)
async def test_a_facet_that_is_not_as_its_schema_says_is_kept(
    catalog: Catalog, facets: dict[str, Any]
) -> None:
    await send(catalog, event("COMPLETE", 1, outputs=[dataset("shop.public.t", **facets)]))
    assert await catalog.tables_of("load") == [("public", "t")]
    kept = (await catalog.get("/api/catalog/tables/public/t/facets")).json()["facets"]
    assert kept == facets
