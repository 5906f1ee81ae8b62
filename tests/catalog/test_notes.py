"""What people write of tables, columns and ETLs; search over it; and what moves with a table."""

from typing import Any

from shared.contracts.auth import Role, Scope
from shared.contracts.records import TableName, VisibleTable
from tests.catalog.conftest import Catalog
from tests.catalog.openlineage_events import dataset, event, send
from tests.catalog.test_details import customer
from tests.catalog.test_lineage import lineage, names
from tests.support.issuer import machine, person

REPORT = "/api/catalog/tables/public/report"
ADMIN = person("root@example.com", role=Role.ADMIN)
SCHEMA = {"fields": [{"name": "born", "type": "date", "description": "as reported"}]}


async def patch(catalog: Catalog, path: str, status: int = 200, /, **body: Any) -> dict[str, Any]:
    answer = await catalog.send("PATCH", path, body)
    assert answer.status_code == status, answer.text
    content: dict[str, Any] = answer.json()
    return content


async def fill(catalog: Catalog, **facets: Any) -> None:
    output = dataset("shop.public.report", schema=SCHEMA, **facets)
    await send(catalog, event("COMPLETE", 1, outputs=[output]))


async def search(catalog: Catalog, q: str, **more: Any) -> list[tuple[str, str]]:
    answer = await catalog.get("/api/catalog/search", {"q": q}, **more)
    assert answer.status_code == 200, answer.text
    return [(hit["kind"], hit["name"]) for hit in answer.json()["items"]]


async def test_a_table_its_columns_and_an_etl_are_described(catalog: Catalog) -> None:
    await fill(catalog)
    body = await patch(
        catalog,
        REPORT,
        description="What was sold",
        tags=["personal data", "gold"],
        owners=["ann@example.com"],
        columns={"born": {"description": "Date of birth", "tags": ["sensitive"]}},
    )
    assert body["description"] == "What was sold"
    assert (body["tags"], body["owners"]) == (["personal data", "gold"], ["ann@example.com"])
    [column] = body["columns"]
    assert (column["description"], column["tags"]) == ("Date of birth", ["sensitive"])

    body = await patch(catalog, REPORT, tags=[], columns={"born": {"description": None}})
    assert (body["description"], body["tags"]) == ("What was sold", [])
    [column] = body["columns"]
    assert (column["description"], column["tags"]) == ("as reported", ["sensitive"])
    body = await patch(catalog, REPORT, description=None)
    assert body["description"] is None
    [item] = (await catalog.get("/api/catalog/tables")).json()["items"]
    assert item["owners"] == ["ann@example.com"]

    body = await patch(catalog, "/api/catalog/etls/load", tags=["nightly"], description="x")
    assert (body["tags"], body["description"]) == (["nightly"], "x")
    actions = await catalog.rows("SELECT action FROM audit.events ORDER BY id")
    assert actions == [("table.describe",)] * 3 + [("etl.describe",)]


async def test_what_people_write_comes_before_what_openlineage_reports(catalog: Catalog) -> None:
    await fill(
        catalog,
        documentation={"description": "reported"},
        ownership={"owners": [{"name": "team:sales"}, {"name": "bob"}]},
    )
    shown = await catalog.table("public", "report")
    assert (shown["description"], shown["owners"]) == ("reported", ["team:sales", "bob"])
    body = await patch(catalog, REPORT, description="written", owners=["ann"])
    assert (body["description"], body["owners"]) == ("written", ["ann"])
    body = await patch(catalog, REPORT, description="", owners=[])
    assert (body["description"], body["owners"]) == ("reported", ["team:sales", "bob"])


async def test_bad_notes_are_refused_by_field(catalog: Catalog) -> None:
    await fill(catalog)
    refused = await patch(catalog, REPORT, 422, columns={"none": {"tags": ["x"]}})
    assert refused["errors"][0]["field"] == "columns.none"
    assert refused["errors"][0]["code"] == "column_unknown"
    for body in ({"tags": ["a", "a"]}, {"tags": [" "]}, {"name": "x"}, {"tags": None}):
        await patch(catalog, REPORT, 422, **body)
    await patch(catalog, "/api/catalog/tables/public/none", 404)
    await patch(catalog, "/api/catalog/etls/none", 404)
    reader = machine("reader", Scope.CATALOG_READ)
    answer = await catalog.send("PATCH", REPORT, {"tags": ["x"]}, caller=reader)
    assert answer.status_code == 403


async def test_a_table_made_here_is_described_by_its_owners_and_admins(catalog: Catalog) -> None:
    await customer(catalog)
    path = "/api/catalog/tables/data/Customer"
    owner = person("owner@example.com")
    catalog.peers.tables["Customer", owner.sub] = VisibleTable(
        table=TableName("Customer"), columns=(), level="owner"
    )
    for caller, status in ((catalog.reader, 403), (owner, 200), (ADMIN, 200)):
        answer = await catalog.send("PATCH", path, {"tags": ["x"]}, caller=caller)
        assert answer.status_code == status, answer.text
    refused = await catalog.send("PATCH", path, {})
    assert refused.json()["code"] == "table_not_yours"


async def test_search_finds_names_descriptions_tags_and_owners_best_first(
    catalog: Catalog,
) -> None:
    await fill(catalog)
    await catalog.see_edge("report", "public", "reports_of_2025")
    await catalog.see_edge("birthday mails", "public", "people")
    await patch(catalog, "/api/catalog/tables/public/people", description="Reports to marketing")
    await patch(catalog, REPORT, tags=["gold"], columns={"born": {"description": "Birthday"}})

    assert await search(catalog, "report") == [
        ("table", "report"),
        ("etl", "report"),
        ("table", "reports_of_2025"),
        ("table", "people"),
    ]
    assert await search(catalog, "birthday") == [("etl", "birthday mails"), ("column", "born")]
    assert await search(catalog, "GOLD") == [("table", "report")]
    assert await search(catalog, "born") == [("column", "born")]
    assert await search(catalog, "marketing people") == [("table", "people")]
    assert await search(catalog, "public.people") == [("table", "people")]
    assert await search(catalog, "s_o") == [("table", "reports_of_2025")]
    assert await search(catalog, "100%") == []
    answer = await catalog.get("/api/catalog/search", {"q": "report", "limit": 1})
    assert (len(answer.json()["items"]), answer.json()["truncated"]) == (1, True)
    assert (await catalog.get("/api/catalog/search", {"q": " "})).status_code == 422


async def test_search_finds_the_columns_of_a_scan(catalog: Catalog) -> None:
    line = (
        '{"schema_name":"crm","table_name":"people","estimated_rows":1,'
        '"columns":[{"name":"e_mail","type":"text","nullable":true}]}\n'
    )
    answer = await catalog.stream(
        "scan", line.encode(), import_id=1, etl="scan", namespace="postgres://h:1/d"
    )
    assert answer.status_code == 200, answer.text
    hits = (await catalog.get("/api/catalog/search", {"q": "e_mail"})).json()["items"]
    assert [(hit["table"], hit["schema"], hit["namespace"]) for hit in hits] == [
        ("people", "crm", "postgres://h:1/d")
    ]


async def test_search_finds_the_columns_of_our_own_tables_for_those_who_may_see_them(
    catalog: Catalog,
) -> None:
    await customer(catalog)
    assert await search(catalog, "SPENT") == [("column", "spent")]
    assert await search(catalog, "in euros") == [("column", "spent")]
    [hit] = (await catalog.get("/api/catalog/search", {"q": "euros"})).json()["items"]
    assert (hit["schema"], hit["table"], hit["description"]) == ("data", "Customer", "in euros")
    assert await search(catalog, "spent", caller=person("eve@example.com")) == []
    catalog.peers.away.add("records")
    answer = (await catalog.get("/api/catalog/search", {"q": "spent"})).json()
    assert (answer["items"], answer["unavailable"]) == ([], ["records"])


async def test_search_hides_private_tables(catalog: Catalog) -> None:
    await catalog.see_table("created", "Salaries", minute=0)
    owner = person("owner@example.com")
    catalog.peers.tables["Salaries", owner.sub] = VisibleTable(
        table=TableName("Salaries"), columns=(), level="owner"
    )
    found = [("table", "Salaries")]
    assert await search(catalog, "salaries") == []
    assert await search(catalog, "salaries", caller=owner) == found
    assert await search(catalog, "salaries", caller=ADMIN) == found
    catalog.peers.away.add("records")
    answer = await catalog.get("/api/catalog/search", {"q": "salaries"}, caller=owner)
    assert (answer.json()["items"], answer.json()["unavailable"]) == ([], ["records"])


async def test_a_renamed_table_takes_along_what_was_known_of_it(catalog: Catalog) -> None:
    await catalog.see_table("created", "Old", minute=0)
    catalog.peers.tables["Old", catalog.reader.sub] = VisibleTable(
        table=TableName("Old"), columns=(), level="owner"
    )
    await patch(catalog, "/api/catalog/tables/data/Old", tags=["gold"], description="d")
    port, name = catalog.database.cluster.port, catalog.database.name
    ours = f"postgres://localhost:{port}"
    source = {"namespace": ours, "name": f"{name}.data.Old", "field": "a"}
    made = {"fields": {"b": {"inputFields": [source]}}}
    await send(
        catalog,
        event(
            "COMPLETE",
            1,
            inputs=[dataset(f"{name}.data.Old", ours, schema={"fields": []})],
            outputs=[dataset("t", "n", columnLineage=made)],
        ),
    )
    await catalog.see_table("renamed", "Old", new_name="New", minute=10)

    shown = await catalog.table("data", "New")
    assert (shown["tags"], shown["description"]) == (["gold"], "d")
    assert names(await lineage(catalog, table="New")) == {"New": 0, "load": 1, "t": 1}
    columns = await catalog.get("/api/catalog/lineage", {"table": "t", "column": "b"}, caller=ADMIN)
    assert [node["table"] for node in columns.json()["nodes"]] == ["t", "New"]
    facets = await catalog.get("/api/catalog/tables/data/New/facets", caller=ADMIN)
    assert sorted(facets.json()["facets"]) == ["schema"]


async def test_two_names_of_one_database_share_what_was_known(catalog: Catalog) -> None:
    def at_host(host: str, etl: str) -> dict[str, Any]:
        named = dataset("shop.public.orders", f"postgres://{host}:5432")
        return event("COMPLETE", 1, run=host, job=etl, inputs=[named])

    await send(catalog, at_host("a", "first"), at_host("b", "second"))
    path = "/api/catalog/tables/public/orders"
    namespace = "postgres://b:5432/shop"
    await patch(catalog, f"{path}?namespace={namespace}", tags=["from b"])
    alias = f"/api/catalog/namespaces/{namespace.replace('/', '%2F')}"
    answer = await catalog.send("PUT", alias, {"same_as": "postgres://a:5432/shop"}, caller=ADMIN)
    assert answer.status_code == 200, answer.text
    body = await lineage(catalog, table="public.orders")
    assert names(body) == {"orders": 0, "first": 1, "second": 1}
    assert (await catalog.table("public", "orders"))["tags"] == ["from b"]
