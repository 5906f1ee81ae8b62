"""Ids that no table can have, bodies and defaults over a limit: refused by name, never a 500."""

import pytest

from services.records.settings import BODY_LIMIT_BYTES
from tests.records.conftest import Service, new_name

BEYOND = ["9223372036854775808", "99999999999999999999", "9" * 400]


@pytest.mark.parametrize("record_id", BEYOND)
@pytest.mark.parametrize(
    ("method", "body"),
    [("GET", None), ("PATCH", {"a": "y"}), ("PUT", {"a": "y"}), ("DELETE", None)],
)
async def test_an_id_beyond_bigint_is_no_record(
    service: Service, method: str, body: object, record_id: str
) -> None:
    table = new_name()
    await service.ann.table(table, "a TEXT")
    answer = await service.ann(method, f"/api/tables/{table}/records/{record_id}", body)
    assert answer.status_code in (404, 422), answer.text


@pytest.mark.parametrize("record_id", BEYOND[:2])
@pytest.mark.parametrize(
    ("method", "path", "more"),
    [("PUT", "/api/update-record", {"data": {"a": "y"}}), ("DELETE", "/api/delete-record", {})],
)
async def test_an_id_beyond_bigint_in_a_body_is_no_record(
    service: Service, method: str, path: str, more: dict[str, object], record_id: str
) -> None:
    table = new_name()
    await service.ann.table(table, "a TEXT")
    body = {"table_name": table, "id": int(record_id), **more}
    answer = await service.ann(method, path, body)
    assert answer.status_code in (404, 422), answer.text


@pytest.mark.parametrize("number", [*BEYOND, "-9223372036854775809"])
@pytest.mark.parametrize(
    "query",
    ["id=%s", "id__gte=%s", "id__in=1,%s", "page=%s", "limit=%s", "cursor=%s", "_import=%s"],
)
async def test_numbers_beyond_bigint_in_a_query_are_named(
    service: Service, query: str, number: str
) -> None:
    table = new_name()
    await service.ann.table(table, "a TEXT")
    answer = await service.ann("GET", f"/api/tables/{table}/records?{query % number}")
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("q=a%00b", "q"),
        ("a=a%00b", "a"),
        ("a__in=a,b%00", "a__in"),
        ("a__icontains=%00", "a__icontains"),
        ("sort=a%00", "sort"),
        ("fields=a%00", "fields"),
    ],
)
async def test_nul_in_a_query_is_named(service: Service, query: str, field: str) -> None:
    table = new_name()
    await service.ann.table(table, "a TEXT")
    for method, path in (("GET", "records"), ("GET", "export")):
        answer = await service.ann(method, f"/api/tables/{table}/{path}?{query}")
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["field"] == field


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/tables"),
        ("POST", "/api/create-table"),
        ("POST", "/api/tables/{table}/records"),
        ("POST", "/api/tables/{table}/records?on_conflict=update&key=id"),
        ("PATCH", "/api/tables/{table}/records?a=x"),
        ("PUT", "/api/tables/{table}/records/1"),
        ("PUT", "/api/tables/{table}/grants/bob@example.com"),
    ],
)
async def test_a_body_over_the_limit_is_413_and_says_the_limit(
    service: Service, method: str, path: str
) -> None:
    table = new_name()
    await service.ann.table(table, "a TEXT")
    body = b'{"a": "' + b"x" * BODY_LIMIT_BYTES + b'"}'
    answer = await service.ann(method, path.replace("{table}", table), content=body)
    assert answer.status_code == 413, answer.text
    problem = answer.json()
    assert (problem["code"], problem["limit_bytes"]) == ("too_large", BODY_LIMIT_BYTES)


@pytest.mark.parametrize("levels", [101, 253, 600])
@pytest.mark.parametrize("kind", ["JSON", "TEXT"])
async def test_a_default_has_at_most_a_hundred_levels(
    service: Service, kind: str, levels: int
) -> None:
    ann, table = service.ann, new_name()

    def column(levels: int) -> str:
        value = f"{'[' * levels}1{']' * levels}"
        return f'{{"name": "j{levels}", "type": "{kind}", "default": {value}}}'

    body = f'{{"name": "{table}", "columns": [{column(levels)}]}}'
    refused = await ann("POST", "/api/tables", content=body)
    error = refused.json()["errors"][0]
    assert (refused.status_code, error["field"]) == (422, "columns.0.default")
    assert error["code"] == "too_complex"
    await ann.table(table, "a INT")
    change = f'{{"add": [{column(levels)}]}}'
    assert (await ann("PATCH", f"/api/tables/{table}", content=change)).status_code == 422
    if kind == "JSON":
        change = f'{{"add": [{column(100)}]}}'
        assert (await ann("PATCH", f"/api/tables/{table}", content=change)).status_code == 200
