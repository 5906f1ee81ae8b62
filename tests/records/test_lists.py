"""What a list promises: counts that are never below what is shown, days, zones, long filters."""

import json
from typing import Any

import asyncpg
import pytest

from tests.records.conftest import Client, Service, new_name


async def ids(ann: Client, path: str, **params: Any) -> list[int]:
    answer = await ann("GET", path, params={"sort": "id", "limit": "1000", **params})
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["items"]]


@pytest.mark.parametrize("kind", ["TIMESTAMP", "TIMESTAMPTZ"])
async def test_a_date_is_that_whole_day(service: Service, kind: str) -> None:
    ann, table = service.ann, new_name()
    path = f"/api/tables/{table}/records"
    await ann.table(table, f"at {kind}")
    moments = [
        *("2026-01-30T23:59:59.999999", "2026-01-31T00:00:00", "2026-01-31T12:00:00"),
        *("2026-01-31T23:59:59.999999", "2026-02-01T00:00:00", None),
    ]
    await ann.insert(table, *({"at": moment} for moment in moments))
    for operator, expected in (
        ("eq", [2, 3, 4]),
        ("ne", [1, 5, 6]),
        ("gt", [5]),
        ("gte", [2, 3, 4, 5]),
        ("lt", [1]),
        ("lte", [1, 2, 3, 4]),
        ("in", [2, 3, 4]),
    ):
        assert await ids(ann, path, **{f"at__{operator}": "2026-01-31"}) == expected, operator
    both = "2026-01-31,2026-02-01T00:00:00"
    assert await ids(ann, path, at__in=both) == [2, 3, 4, 5]
    assert await ids(ann, path, at="2026-01-31T00:00:00") == [2]
    last = await ann("GET", path, params={"at__gt": "9999-12-31"})
    assert last.json()["items"] == []


@pytest.mark.parametrize("zone", ["+02:00", "+0200", "+02", "%2B02:00", "-02:00", "Z"])
async def test_a_zone_keeps_its_sign_in_a_query(service: Service, zone: str) -> None:
    ann, table = service.ann, new_name()
    path = f"/api/tables/{table}/records"
    await ann.table(table, "at TIMESTAMPTZ")
    sent = zone.replace("%2B", "+")
    await ann.insert(table, {"at": f"2026-01-31T10:00:00{sent}"}, {"at": "2026-01-31T10:00:01Z"})
    for text in (f"2026-01-31T10:00{zone}", f"2026-01-31T10:00:00.000{zone}"):
        answer = await ann("GET", f"{path}?at={text}")
        assert answer.status_code == 200, answer.text
        assert [each["id"] for each in answer.json()["items"]] == [1]


async def test_a_blank_between_date_and_time_is_no_zone(service: Service) -> None:
    ann, table = service.ann, new_name()
    path = f"/api/tables/{table}/records"
    await ann.table(table, "at TIMESTAMPTZ")
    await ann.insert(table, {"at": "2026-01-31T10:00:00Z"})
    assert await ids(ann, path, at="2026-01-31 10:00") == [1]


async def test_an_estimate_is_never_below_what_is_shown(service: Service) -> None:
    ann, table = service.ann, new_name()
    path = f"/api/tables/{table}/records"
    await ann.table(table, "n INT")
    connection = await asyncpg.connect(service.database.url("records"))
    fill = f'INSERT INTO data."{table}" (n) SELECT i % 7 FROM generate_series(1, $1::int) i'
    await connection.execute(fill, 300)
    for query, expected in (({}, 300), ({"n": "3"}, 43), ({"n": "9"}, 0)):
        answer = await ann("GET", path, params={"count": "estimated", **query})
        assert answer.json()["total"] == expected
    await connection.execute(f'ANALYZE data."{table}"')
    await connection.execute(fill, 20_000)  # which PostgreSQL has not noticed yet
    page = (await ann("GET", path, params={"count": "estimated", "limit": "1000"})).json()
    assert page["total"] >= 10_000
    numbered = await ann("GET", path, params={"count": "estimated", "limit": "1000", "page": "20"})
    assert numbered.json()["total"] >= 20_000
    await connection.execute(f'ANALYZE data."{table}"')
    await connection.close()
    whole = (await ann("GET", path, params={"count": "estimated"})).json()["total"]
    assert 20_000 <= whole <= 21_000


async def test_numbers_come_as_texts_for_readers_that_round(service: Service) -> None:
    ann, table = service.ann, new_name()
    path = f"/api/tables/{table}/records"
    await ann.table(table, "big BIGINT", "exact NUMERIC", "small INT", "real DOUBLE PRECISION")
    big, exact = 2**63 - 1, "12345678901234567890.10"
    body = f'{{"big": {big}, "exact": {exact}, "small": 7, "real": 0.5}}'
    assert (await ann("POST", path, content=body)).status_code == 201
    await ann("POST", path, {})
    as_text = {"id": "1", "big": str(big), "exact": exact, "small": 7, "real": 0.5}
    page = await ann("GET", path, params={"numbers": "text", "limit": "1"})
    assert page.json()["items"] == [as_text]
    following = page.json()["next"]
    assert (await ann("GET", following)).json()["items"][0]["id"] == "2"
    for sort in ("big", "-exact"):
        first = (await ann("GET", f"{path}?numbers=text&limit=1&sort={sort}")).json()
        second = (await ann("GET", first["next"])).json()
        assert {first["items"][0]["id"], second["items"][0]["id"]} == {"1", "2"}
    one = await ann("GET", f"{path}/1", params={"numbers": "text"})
    assert one.json() == as_text
    lines = await ann(
        "GET", path.replace("records", "export"), params={"numbers": "text", "format": "ndjson"}
    )
    assert json.loads(lines.text.splitlines()[0]) == as_text
    plain = await ann("GET", f"{path}/1")
    assert f'"big":{big},"exact":{exact}' in plain.text
    wrong = await ann("GET", path, params={"numbers": "words"})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "numbers")


async def test_a_long_filter_goes_into_a_body(service: Service) -> None:
    ann, table = service.ann, new_name()
    path = f"/api/tables/{table}/query"
    await ann.table(table, "name TEXT", "n INT", "at DATE")
    names = [f'x{place}, "quoted"' for place in range(40)]
    await ann.insert(table, *({"name": name, "n": n % 3} for n, name in enumerate(names)))
    body: dict[str, Any] = {
        "name__in": [*names[:30], *(f"none{place}" for place in range(5000))],
        "n": 1,
        "sort": ["-n", "name:code"],
        "fields": ["name"],
        "limit": 4,
        "count": "exact",
    }
    seen = []
    following: str | None = path
    while following is not None:
        answer = await ann("POST", following, body)
        assert answer.status_code == 200, answer.text
        seen += answer.json()["items"]
        assert answer.json()["total"] == 10
        following = answer.json()["next"]
    assert [each["name"] for each in seen] == sorted(names[1:30:3])
    assert set(seen[0]) == {"id", "name"}
    paged = (await ann("POST", path, {**body, "page": 1})).json()
    assert paged["next"].endswith("page=2")
    second = (await ann("POST", paged["next"], {**body, "page": 1})).json()
    assert second["items"] == seen[4:8]
    flags = await ann("POST", path, {"at__isnull": True, "count": "exact", "limit": 1})
    assert flags.json()["total"] == 40


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return {"a": value}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "body"),
        ({"nope": 1}, "nope"),
        ({"n": None}, "n"),
        ({"n": [1, 2]}, "n"),
        ({"limit": 0}, "limit"),
        ({"n__in": list(range(10_001))}, "n__in"),
        ({"n__in": ["x"]}, "n__in"),
        ({"n": nested(600)}, "n"),
        ({"n__in": [nested(600)]}, "n__in"),
    ],
)
async def test_a_wrong_body_is_named(service: Service, body: Any, field: str) -> None:
    ann, table = service.ann, new_name()
    await ann.table(table, "n INT")
    answer = await ann("POST", f"/api/tables/{table}/query", body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/tables", "GET, HEAD, POST"),
        ("PUT", "/api/tables/{table}/records", "DELETE, GET, HEAD, PATCH, POST"),
        ("POST", "/api/tables/{table}/records/1", "DELETE, GET, HEAD, PATCH, PUT"),
        ("GET", "/api/tables/{table}/grants/bob@example.com", "DELETE, PUT"),
        ("GET", "/api/create-table", "POST"),
    ],
)
async def test_allow_names_every_method(
    service: Service, method: str, path: str, allowed: str
) -> None:
    ann, table = service.ann, new_name()
    await ann.table(table, "a TEXT")
    answer = await ann(method, path.replace("{table}", table))
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
    assert allowed in answer.json()["detail"]
