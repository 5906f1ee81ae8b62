"""The service against its own OpenAPI document: no 5xx, no answer that it does not describe."""

from tests.catalog.conftest import Catalog
from tests.support.conformance import every_call
from tests.support.issuer import peer
from tests.support.profile import examples, only_in_full

EXAMPLES = examples(40)


@only_in_full
async def test_any_call_gets_an_answer_that_the_document_describes(catalog: Catalog) -> None:
    await catalog.see_edge("nightly", "shop", "orders")

    def headers(path: str) -> dict[str, str]:
        caller = peer("ingest") if path.startswith("/internal/") else catalog.reader
        return catalog.issuer.bearer(caller)

    assert await every_call(catalog.url, headers, examples=EXAMPLES) == 31


async def test_operations_have_stable_names_texts_and_problems(catalog: Catalog) -> None:
    document = (await catalog.http.get("/internal/openapi.json")).json()

    operations = {
        operation["operationId"]: operation
        for path in document["paths"].values()
        for operation in path.values()
    }
    assert sorted(operations) == [
        "catalog_edges_delete",
        "catalog_edges_put",
        "catalog_etl_facets",
        "catalog_etls_create",
        "catalog_etls_describe",
        "catalog_etls_get",
        "catalog_etls_list",
        "catalog_graph_get",
        "catalog_lineage_get",
        "catalog_namespaces_delete",
        "catalog_namespaces_get",
        "catalog_namespaces_list",
        "catalog_namespaces_put",
        "catalog_runs_get",
        "catalog_runs_list",
        "catalog_schemas_list",
        "catalog_search",
        "catalog_table_facets",
        "catalog_tables_describe",
        "catalog_tables_get",
        "catalog_tables_list",
        "catalog_tables_profile",
        "etl_tables_action",
        "internal_catalog_edges",
        "internal_catalog_edges_all",
        "internal_catalog_edges_undone",
        "internal_catalog_merge",
        "internal_catalog_scan",
        "internal_catalog_table_events",
        "lineage_batch",
        "lineage_event",
    ]
    for operation in operations.values():
        assert operation["summary"]
        assert operation["description"]
        assert operation["tags"]
        assert operation["security"]
        assert "application/problem+json" in operation["responses"]["4XX"]["content"]
