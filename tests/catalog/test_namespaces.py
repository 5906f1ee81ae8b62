"""Two databases with tables of one name are two; two names of one database are one."""

from typing import Any
from urllib.parse import quote

import pytest

from services.catalog.namespaces import canonical, of_dataset
from shared.contracts.auth import Role
from tests.catalog.conftest import Catalog
from tests.catalog.test_merge import ndjson, scanned
from tests.support.issuer import person

A = "postgres://a.example.com:5432/shop"
B = "postgres://b.example.com:5432/shop"
ADMIN = person("admin@example.com", role=Role.ADMIN)


async def scan(
    catalog: Catalog, namespace: str | None, *lines: dict[str, Any], etl: str = "nightly"
) -> dict[str, Any]:
    params: dict[str, Any] = {} if namespace is None else {"namespace": namespace}
    answer = await catalog.stream("scan", ndjson(*lines), import_id=1, etl=etl, **params)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def schema(name: str, *, whole: bool) -> dict[str, Any]:
    return {"schema_name": name, "whole": whole}


async def shown(catalog: Catalog, path: str, **params: str) -> dict[str, Any]:
    answer = await catalog.get(f"/api/catalog/{path}", params)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def put_alias(catalog: Catalog, alias: str, same_as: str | None) -> dict[str, Any]:
    path = f"/api/catalog/namespaces/{quote(alias, safe='')}"
    answer = await catalog.send("PUT", path, {"same_as": same_as}, caller=ADMIN)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_tables_of_two_databases_are_two(catalog: Catalog) -> None:
    await scan(catalog, A, scanned("customers"), etl="a")
    await scan(catalog, B, scanned("customers"), etl="b")

    tables = (await shown(catalog, "tables"))["items"]
    assert [(table["name"], table["namespace"]) for table in tables] == [
        ("customers", A),
        ("customers", B),
    ]
    schemas = (await shown(catalog, "schemas"))["items"]
    assert [(item["name"], item["namespace"], item["table_count"]) for item in schemas] == [
        ("public", A, 1),
        ("public", B, 1),
    ]
    assert await catalog.tables_of("a") == [("public", "customers")]
    for namespace, etl in ((A, "a"), (B, "b")):
        table = await shown(catalog, "tables/public/customers", namespace=namespace)
        assert (table["namespace"], [each["name"] for each in table["etls"]]) == (namespace, [etl])


async def test_a_name_without_a_namespace_is_the_one_that_has_none_or_the_only_one(
    catalog: Catalog,
) -> None:
    path = "tables/public/customers"
    await scan(catalog, A, scanned("customers"))
    assert (await shown(catalog, path))["namespace"] == A
    await scan(catalog, B, scanned("customers"))
    answer = await catalog.get(f"/api/catalog/{path}")
    assert (answer.status_code, answer.json()["code"]) == (409, "ambiguous_name")
    assert [error["message"] for error in answer.json()["errors"]] == [A, B]
    await catalog.see_edge("file", "public", "customers")
    assert (await shown(catalog, path))["namespace"] is None
    assert (await shown(catalog, path, namespace=""))["namespace"] is None
    unknown = await catalog.get(f"/api/catalog/{path}", {"namespace": "postgres://c/d"})
    assert unknown.status_code == 404


async def test_lists_can_be_narrowed_to_a_namespace(catalog: Catalog) -> None:
    await scan(catalog, A, scanned("one"))
    await scan(catalog, B, scanned("two"))
    await catalog.see_edge("file", "public", "three")

    for namespace, names in ((A, ["one"]), (B.upper().replace("SHOP", "shop"), ["two"])):
        for path in ("tables", "schemas"):
            body = await shown(catalog, path, namespace=namespace)
            assert body["total"] == 1
        tables = (await shown(catalog, "tables", namespace=namespace))["items"]
        assert [table["name"] for table in tables] == names
    assert [t["name"] for t in (await shown(catalog, "tables", namespace=""))["items"]] == ["three"]
    graph = await shown(catalog, "graph", namespace=B)
    assert [node["name"] for node in graph["nodes"]] == ["nightly", "two"]


async def test_the_older_call_names_each_schema_and_table_once(catalog: Catalog) -> None:
    for namespace in (A, B, None):
        await scan(catalog, namespace, scanned("customers"), scanned("orders"))

    assert await catalog.tables_of("nightly") == [("public", "customers"), ("public", "orders")]


async def test_a_table_without_a_namespace_is_taken_over_by_its_own_scans(
    catalog: Catalog,
) -> None:
    await scan(catalog, None, scanned("own"), scanned("shared"), scanned("other"))
    await catalog.see_edge("file", "public", "shared")
    await scan(catalog, None, scanned("other"), etl="another")

    await scan(catalog, A, scanned("own"), scanned("shared"))
    tables = (await shown(catalog, "tables"))["items"]
    assert [(table["name"], table["namespace"]) for table in tables] == [
        ("other", None),
        ("own", A),
        ("shared", None),
        ("shared", A),
    ]
    own = await shown(catalog, "tables/public/own")
    assert [etl["name"] for etl in own["etls"]] == ["nightly"]
    await scan(catalog, A, scanned("own"))
    assert await catalog.rows("SELECT count(*) FROM catalog.tables") == [(4,)]


async def test_emptied_schemas_go_with_their_tables(catalog: Catalog) -> None:
    await scan(catalog, None, scanned("own"))
    await scan(catalog, A, scanned("own"))
    schemas = (await shown(catalog, "schemas"))["items"]
    assert [(item["name"], item["namespace"]) for item in schemas] == [("public", A)]


async def test_tables_vanish_only_where_a_scan_could_see(catalog: Catalog) -> None:
    def table(schema_name: str, name: str) -> dict[str, Any]:
        return scanned(name) | {"schema_name": schema_name}

    every = [table(name, "t") for name in ("whole", "part", "dropped")]
    await scan(catalog, A, *every, table("whole", "stays"))
    await scan(catalog, B, *every)
    await scan(
        catalog, A, schema("whole", whole=True), schema("part", whole=False),
        table("whole", "stays"),
    )  # fmt: skip

    vanished = await catalog.rows(
        "SELECT namespace, schema_name, name FROM catalog.tables WHERE vanished_at IS NOT NULL"
        " ORDER BY 1, 2, 3"
    )
    assert vanished == [(A, "dropped", "t"), (A, "whole", "t")]
    gone = await shown(catalog, "tables/whole/t", namespace=A)
    assert gone["vanished_at"] is not None
    # A scan that does not know the schemas marks nothing; one that sees the table unmarks it.
    await scan(catalog, A, table("whole", "t"))
    back = await shown(catalog, "tables/whole/t", namespace=A)
    assert back["vanished_at"] is None
    assert (await shown(catalog, "tables/dropped/t", namespace=A))["vanished_at"] is not None


async def test_an_alias_makes_two_names_of_a_database_one(catalog: Catalog) -> None:
    await scan(catalog, A, scanned("customers"), scanned("only_a"), etl="a")
    await scan(catalog, B, scanned("customers"), scanned("only_b"), etl="b")

    assert await put_alias(catalog, B, A) == {"alias": B, "same_as": A}
    tables = (await shown(catalog, "tables"))["items"]
    assert [(table["name"], table["namespace"]) for table in tables] == [
        ("customers", A),
        ("only_a", A),
        ("only_b", A),
    ]
    customers = await shown(catalog, "tables/public/customers", namespace=B)
    assert [etl["name"] for etl in customers["etls"]] == ["a", "b"]
    await scan(catalog, B, scanned("later"), etl="b")
    assert (await shown(catalog, "tables/public/later"))["namespace"] == A
    assert (await shown(catalog, "namespaces"))["items"] == [{"alias": B, "same_as": A}]

    path = f"/api/catalog/namespaces/{quote(B, safe='')}"
    assert (await catalog.send("DELETE", path, caller=ADMIN)).status_code == 204
    assert (await catalog.get(path)).json()["code"] == "alias_unknown"
    actions = await catalog.rows("SELECT action, object FROM audit.events ORDER BY id")
    assert actions == [
        ("namespace.put", f"namespace:{B}"),
        ("namespace.delete", f"namespace:{B}"),
    ]


async def test_an_alias_of_our_own_database_finds_the_tables_made_here(catalog: Catalog) -> None:
    await catalog.see_table("created", "Customer", minute=0)
    await scan(catalog, A, scanned("Customer") | {"schema_name": "data"}, etl="outside")

    await put_alias(catalog, A, None)
    [table] = (await shown(catalog, "tables"))["items"]
    assert (table["schema"], table["name"], table["namespace"]) == ("data", "Customer", None)
    assert [e["name"] for e in (await shown(catalog, "tables/data/Customer"))["etls"]] == [
        "outside"
    ]


@pytest.mark.parametrize(
    ("alias", "same_as", "field"),
    [
        (A, A, "alias"),
        (A, "postgresql://A.example.com/shop", "alias"),
        ("x", B, "same_as"),
        ("target", "x", "alias"),
    ],
)
async def test_aliases_that_make_no_sense_are_refused(
    catalog: Catalog, alias: str, same_as: str, field: str
) -> None:
    await put_alias(catalog, B, "target")
    path = f"/api/catalog/namespaces/{quote(alias, safe='')}"
    answer = await catalog.send("PUT", path, {"same_as": same_as}, caller=ADMIN)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


async def test_aliases_are_for_admins(catalog: Catalog) -> None:
    path = f"/api/catalog/namespaces/{quote(A, safe='')}"
    for method, body in (("PUT", {"same_as": B}), ("DELETE", None)):
        assert (await catalog.send(method, path, body)).status_code == 403


async def test_an_edge_by_hand_names_a_namespace(catalog: Catalog) -> None:
    await catalog.send("POST", "/api/catalog/etls", {"name": "e"})
    path = "/api/catalog/etls/e/tables/public/customers"
    entered = await catalog.send("PUT", f"{path}?namespace={quote(A)}")
    assert (entered.status_code, entered.json()["namespace"]) == (200, A)
    # Without one the only table of the name is meant.
    again = await catalog.send("PUT", path)
    assert again.json()["namespace"] == A
    assert (await catalog.send("DELETE", f"{path}?namespace=")).status_code == 404
    assert (await catalog.send("DELETE", f"{path}?namespace={quote(A)}")).status_code == 204


async def test_a_table_without_a_schema_is_under_a_dash(catalog: Catalog) -> None:
    await catalog.send("POST", "/api/catalog/etls", {"name": "e"})
    path = "/api/catalog/etls/e/tables/-/orders.parquet?namespace=s3://bucket"
    entered = (await catalog.send("PUT", path)).json()
    assert (entered["schema"], entered["table"]) == (None, "orders.parquet")
    table = await shown(catalog, "tables/-/orders.parquet")
    assert (table["schema"], table["namespace"]) == (None, "s3://bucket")
    listed = (await shown(catalog, "tables", schema="-"))["items"]
    assert [item["name"] for item in listed] == ["orders.parquet"]
    assert [item["name"] for item in (await shown(catalog, "schemas"))["items"]] == [None]
    assert await catalog.tables_of("e") == [("-", "orders.parquet")]


async def test_pictures_tell_tables_of_one_name_apart(catalog: Catalog) -> None:
    await scan(catalog, A, scanned("customers"), scanned("orders"))
    await scan(catalog, B, scanned("customers"))
    for format_ in ("mermaid", "svg"):
        picture = (await catalog.get("/api/catalog/graph", {"format": format_})).text
        assert picture.count("a.example.com") >= 1
        assert picture.count("b.example.com") >= 1
    text = (await catalog.get("/api/catalog/graph", {"format": "mermaid"})).text
    assert '("public.orders")' in text


@pytest.mark.parametrize("name", ["x" * 400, "é" * 400])
async def test_names_that_no_index_holds_are_refused(catalog: Catalog, name: str) -> None:
    await catalog.send("POST", "/api/catalog/etls", {"name": "e"})
    path = f"/api/catalog/etls/e/tables/{quote(name * 1)}/{quote(name)}"
    answer = await catalog.send("PUT", f"{path}?namespace={quote('n' * 490 + name[:10])}")
    long = 2 * len(name.encode()) + 490 > 2600
    assert answer.status_code == (422 if long else 200), answer.text


@pytest.mark.parametrize(
    ("namespace", "one"),
    [
        ("postgresql://Host.Example/db", "postgres://host.example:5432/db"),
        ("postgres://me:secret@h:5433/db/", "postgres://h:5433/db"),
        ("postgres://127.0.0.1:5432/db", "postgres://localhost:5432/db"),
        ("postgres://[::1]:5432/db", "postgres://localhost:5432/db"),
        ("postgres://[2001:db8::1]/db", "postgres://[2001:db8::1]:5432/db"),
        ("oracle://H/SVC", "oracle://h:1521/SVC"),
        ("s3://Bucket", "s3://Bucket"),
        ("postgres://h:no-port/db", "postgres://h:no-port/db"),
        ("postgres://", "postgres://"),
        ("default", "default"),
    ],
)
def test_each_database_has_one_spelling(namespace: str, one: str) -> None:
    assert canonical(namespace) == one
    assert canonical(one) == one


@pytest.mark.parametrize(
    ("namespace", "name", "key"),
    [
        ("postgres://h:5432", "db.s.t", ("postgres://h:5432/db", "s", "t")),
        ("postgres://h:5432/db", "db.s.t", ("postgres://h:5432/db", "s", "t")),
        ("postgres://h:5432/db", "s.t", ("postgres://h:5432/db", "s", "t")),
        ("oracle://h:1521", "SVC.HR.T", ("oracle://h:1521/SVC", "HR", "T")),
        ("postgres://h:5432", "t", ("postgres://h:5432", None, "t")),
        ("s3://bucket", "a/b.c.d", ("s3://bucket", None, "a/b.c.d")),
        ("snowflake://x", "DB.S.T", ("snowflake://x", None, "DB.S.T")),
    ],
)
def test_datasets_of_databases_are_taken_apart(
    namespace: str, name: str, key: tuple[str, str | None, str]
) -> None:
    assert of_dataset(namespace, name) == key
