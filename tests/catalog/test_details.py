"""One table, one ETL: what the catalog knows, and what its peers tell to whom."""

from typing import Any

from shared.contracts.ingest import ImportSummary
from shared.contracts.records import (
    ColumnName,
    TableName,
    VisibleColumn,
    VisibleTable,
)
from shared.values.types import ColumnType, TypeName
from tests.catalog.conftest import Catalog, at
from tests.support.issuer import person

CUSTOMER = VisibleTable(
    table=TableName("Customer"),
    columns=(
        VisibleColumn(
            name=ColumnName("name"),
            type=ColumnType(name=TypeName.VARCHAR, length=80),
            nullable=False,
        ),
        VisibleColumn(
            name=ColumnName("spent"),
            type=ColumnType(name=TypeName.NUMERIC, precision=10, scale=2),
            nullable=True,
            description="in euros",
        ),
    ),
    estimated_rows=12,
)


def run(number: int, **fields: Any) -> ImportSummary:
    return ImportSummary.model_validate(
        {
            "id": number,
            "state": "succeeded",
            "kind": "file",
            "table": "Customer",
            "etl_name": "customers.csv",
            "rows_read": 3,
            "rows_loaded": 2,
            "rows_rejected": 1,
            "created_at": at(0),
            "finished_at": at(1),
            "submitted_by": "ann@example.com",
            **fields,
        }
    )


async def customer(catalog: Catalog) -> None:
    """A table that Ann may see, fed once."""
    await catalog.see_table("created", "Customer", minute=0, description="who buys")
    await catalog.see_edge("customers.csv", "data", "Customer", import_id=9, minute=1)
    catalog.peers.tables["Customer", catalog.reader.sub] = CUSTOMER
    catalog.peers.imports.append(run(9))


async def test_those_who_may_see_a_table_see_its_columns_and_imports(catalog: Catalog) -> None:
    await customer(catalog)

    table = await catalog.table("data", "Customer")
    assert table["columns"] == [
        {
            "name": "name",
            "type": "VARCHAR(80)",
            "nullable": False,
            "description": None,
            "tags": [],
        },
        {
            "name": "spent",
            "type": "NUMERIC(10,2)",
            "nullable": True,
            "description": "in euros",
            "tags": [],
        },
    ]
    assert (table["columns_from"], table["estimated_rows"]) == ("records", 12)
    assert [(run["id"], run["rows_rejected"]) for run in table["imports"]] == [(9, 1)]
    assert table["unavailable"] == []


async def test_others_see_names_and_edges_alone(catalog: Catalog) -> None:
    await customer(catalog)

    table = await catalog.table("data", "Customer", caller=person("bob@example.com"))
    assert [etl["name"] for etl in table["etls"]] == ["customers.csv"]
    assert (table["columns"], table["columns_from"], table["imports"]) == (None, None, None)
    assert table["unavailable"] == []


async def test_without_records_columns_are_null_and_it_is_said_why(catalog: Catalog) -> None:
    await customer(catalog)
    catalog.peers.away.add("records")

    table = await catalog.table("data", "Customer")
    assert (table["columns"], table["imports"]) == (None, None)
    assert table["unavailable"] == ["records"]
    assert table["description"] == "who buys"


async def test_without_ingest_imports_are_null_and_columns_are_there(catalog: Catalog) -> None:
    await customer(catalog)
    catalog.peers.away.add("ingest")

    table = await catalog.table("data", "Customer")
    assert len(table["columns"]) == 2
    assert table["imports"] is None
    assert table["unavailable"] == ["ingest"]


async def test_an_etl_shows_its_tables_and_runs(catalog: Catalog) -> None:
    await customer(catalog)

    etl = (await catalog.get("/api/catalog/etls/customers.csv")).json()
    assert etl["table_count"] == 1
    [table] = etl["tables"]
    assert (table["schema"], table["name"], table["last_import"]) == ("data", "Customer", 9)
    assert [run["id"] for run in etl["runs"]] == [9]


async def test_runs_into_tables_one_may_not_see_are_left_out(catalog: Catalog) -> None:
    await customer(catalog)
    catalog.peers.imports.append(run(10, table=None, kind="catalog_file"))

    path = "/api/catalog/etls/customers.csv"
    other = (await catalog.get(path, caller=person("bob@example.com"))).json()
    assert [run["id"] for run in other["runs"]] == [10]
    assert [run["id"] for run in (await catalog.get(path)).json()["runs"]] == [9, 10]


async def test_without_peers_an_etl_still_shows_its_tables(catalog: Catalog) -> None:
    await customer(catalog)

    for peer in ("records", "ingest"):
        catalog.peers.away = {peer}
        etl = (await catalog.get("/api/catalog/etls/customers.csv")).json()
        assert (etl["runs"], etl["unavailable"]) == (None, [peer])
        assert len(etl["tables"]) == 1


async def test_many_tables_of_an_etl_come_in_pages(catalog: Catalog) -> None:
    for number in range(5):
        await catalog.see_edge("a/b %", "s", f"t{number}")

    found, path = [], "/api/catalog/etls/a%2Fb%20%25?limit=2"
    while path:
        body = (await catalog.get(path)).json()
        found += [table["name"] for table in body["tables"]]
        path = body["next"]
    assert found == ["t0", "t1", "t2", "t3", "t4"]
    assert await catalog.tables_of("a/b %") == [("s", name) for name in found]


async def test_many_etls_of_a_table_come_in_pages(catalog: Catalog) -> None:
    for number in range(3):
        await catalog.see_edge(f"e{number}", "s", "t")

    first = (await catalog.get("/api/catalog/tables/s/t", {"limit": 2})).json()
    assert [etl["name"] for etl in first["etls"]] == ["e0", "e1"]
    second = (await catalog.get(first["next"])).json()
    assert ([etl["name"] for etl in second["etls"]], second["next"]) == (["e2"], None)


async def test_unknown_names_are_404_with_their_own_codes(catalog: Catalog) -> None:
    for path, code in (
        ("/api/catalog/etls/none", "etl_unknown"),
        ("/api/catalog/tables/data/none", "table_unknown"),
        ("/api/catalog/graph?etl=none", "etl_unknown"),
        ("/api/catalog/graph?table=none", "table_unknown"),
    ):
        answer = await catalog.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, code)


async def test_a_name_with_nul_in_the_path_is_refused(catalog: Catalog) -> None:
    answer = await catalog.get("/api/catalog/etls/a%00b")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "etl"
