"""References followed in reads: as objects, at most three deep, and never past what one may see."""

import asyncio
from typing import Any

import pytest

from tests.records.conftest import Client, Service, new_name


def to(name: str, kind: str, table: str, column: str) -> dict[str, Any]:
    return {"name": name, "type": kind, "rules": {"references": {"table": table, "column": column}}}


class World:
    """Continents, countries and customers, each referencing the one before."""

    def __init__(self, ann: Client) -> None:
        self.ann = ann
        self.continent, self.country = new_name("Continent"), new_name("Country")
        self.customer, self.order = new_name("Customer"), new_name("Order")

    async def made(self) -> "World":
        ann = self.ann
        code = {"name": "code", "type": "TEXT", "unique": True}
        await ann.table(self.continent, code, "big BIGINT")
        await ann.table(self.country, code, "extra JSON", to("on", "TEXT", self.continent, "code"))
        await ann.table(self.customer, "name TEXT", to("country", "TEXT", self.country, "code"))
        await ann.table(
            self.order,
            to("customer_id", "BIGINT", self.customer, "id"),
            to("payer_id", "BIGINT", self.customer, "id"),
            "payer TEXT",
        )
        await ann.insert(self.continent, {"code": "EU", "big": 2**60})
        await ann.insert(self.country, {"code": "NO", "on": "EU", "extra": {"a": [1, "x\ny"]}})
        await ann.insert(self.customer, {"name": "Åse", "country": "NO"}, {"name": "Bo"})
        orders = [{"customer_id": 1, "payer_id": 2}, {"customer_id": 2}, {"payer": "cash"}]
        await ann.insert(self.order, *orders)
        return self

    def records(self, table: str) -> str:
        return f"/api/tables/{table}/records"


async def items(client: Client, path: str, **params: str) -> list[dict[str, Any]]:
    answer = await client("GET", path, params={"sort": "id", **params})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_each_reference_becomes_an_object(service: Service) -> None:
    world = await World(service.ann).made()
    path = world.records(world.order)
    expand = "customer_id,customer.country.on,payer_id"
    first, second, third = await items(service.ann, path, expand=expand)
    continent = {"id": 1, "code": "EU", "big": 2**60}
    country = {
        "id": 1,
        "code": "NO",
        "extra": {"a": [1, "x\ny"]},
        "on": "EU",
        "on_record": continent,
    }
    customer = {"id": 1, "name": "Åse", "country": "NO", "country_record": country}
    assert first["customer"] == customer
    assert first["customer_id"] == 1
    # The name without `_id` is taken there.
    assert first["payer"] is None
    assert first["payer_id_record"] == {"id": 2, "name": "Bo", "country": None}
    assert (second["customer"]["country_record"], second["payer_id_record"]) == (None, None)
    assert (third["customer"], third["payer"]) == (None, "cash")
    plain = await items(service.ann, path)
    assert "customer" not in plain[0]


async def test_expansion_goes_with_the_other_parameters(service: Service) -> None:
    world = await World(service.ann).made()
    ann, path = service.ann, world.records(world.order)
    (only,) = await items(ann, path, expand="customer", fields="id,customer_id", customer_id="1")
    assert list(only) == ["id", "customer_id", "customer"]
    (text,) = await items(ann, path, expand="customer", numbers="text", customer_id="1")
    assert (text["customer_id"], text["customer"]["id"]) == ("1", "1")
    for sort in ("id", "-payer", "customer_id"):
        seen: list[Any] = []
        following: str | None = f"{path}?expand=customer&limit=1&sort={sort}&count=exact"
        while following is not None:
            page = (await ann("GET", following)).json()
            assert page["total"] == 3
            seen += page["items"]
            following = page["next"]
        assert sorted(each["id"] for each in seen) == [1, 2, 3]
        names = {each["id"]: (each["customer"] or {}).get("name") for each in seen}
        assert names == {1: "Åse", 2: "Bo", 3: None}
    body = {"expand": ["customer", "customer.country"], "id": 1}
    answer = await ann("POST", path.replace("records", "query"), body)
    assert answer.json()["items"][0]["customer"]["country_record"]["code"] == "NO"


async def test_what_one_may_not_see_is_null(service: Service) -> None:
    world = await World(service.ann).made()
    ann, bob = service.ann, service.bob
    for table in (world.order, world.country):
        grant = f"/api/tables/{table}/grants/bob@example.com"
        await ann("PUT", grant, {"level": "viewer"})
    path = world.records(world.order)
    first, *_ = await items(bob, path, expand="customer,customer.country")
    assert first["customer"] is None
    grant = f"/api/tables/{world.customer}/grants/bob@example.com"
    await ann("PUT", grant, {"level": "viewer"})
    first, *_ = await items(bob, path, expand="customer.country")
    assert first["customer"]["country_record"]["code"] == "NO"
    await ann("DELETE", grant)
    first, *_ = await items(bob, path, expand="customer.country")
    assert first["customer"] is None


async def test_a_referenced_table_may_change_meanwhile(service: Service) -> None:
    world = await World(service.ann).made()
    ann, path = service.ann, world.records(world.order)
    assert (await items(ann, path, expand="customer"))[0]["customer"]["name"] == "Åse"
    where = f"/api/tables/{world.customer}"
    change = {"alter": [{"name": "name", "rename": "full"}], "rename": new_name("Client")}
    reads = [items(ann, path, expand="customer") for _ in range(5)]
    changed, *_ = await asyncio.gather(ann("PATCH", where, change), *reads)
    assert changed.status_code == 200, changed.text
    assert (await items(ann, path, expand="customer"))[0]["customer"]["full"] == "Åse"


@pytest.mark.parametrize(
    ("expand", "code"),
    [
        ("nope", "no_reference"),
        ("id", "no_reference"),
        ("customer.name", "no_reference"),
        ("customer.country.on.code", "too_deep"),
        ("customer..country", "too_deep"),
        ("customer.country.on,payer_id.country.on", "too_many"),
    ],
)
async def test_what_cannot_be_followed(service: Service, expand: str, code: str) -> None:
    world = await World(service.ann).made()
    path = world.records(world.order)
    answer = await service.ann("GET", path, params={"expand": expand})
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["field"], error["code"]) == (422, "expand", code)


async def test_self_references_are_followed(service: Service) -> None:
    ann, table = service.ann, new_name()
    await ann.table(table, "name TEXT", to("boss_id", "BIGINT", table, "id"))
    for record in ({"name": "a"}, {"name": "b", "boss_id": 1}, {"name": "c", "boss_id": 2}):
        await ann.insert(table, record)
    last = (await items(ann, f"/api/tables/{table}/records", expand="boss.boss"))[-1]
    assert last["boss"]["boss"]["name"] == "a"
    document = (await ann("GET", f"/api/tables/{table}/openapi.json")).json()
    assert "boss" in document["components"]["schemas"]["Record"]["properties"]
    (path, *_) = document["paths"].values()
    assert "expand" in [each["name"] for each in path["get"]["parameters"]]
