"""Text that is no text: NUL and half characters, wherever a caller can put them."""

import pytest

from tests.records.conftest import Service, new_name

BODIES = [
    ("POST", "/api/create-table", '{"table_name": "X", "fields": {"%s": "INT"}}'),
    ("POST", "/api/create-table", '{"table_name": "X", "fields": {"a": "%s"}}'),
    ("POST", "/api/create-table", '{"table_name": "%s", "fields": {}}'),
    ("POST", "/api/create-table", '{"table_name": "X", "fields": {}, "%s": 1}'),
    ("POST", "/api/create-table", '{"table_name": "X", "fields": {"a": "TEXT DEFAULT \'%s\'"}}'),
    ("POST", "/api/tables", '{"name": "X", "columns": [], "description": "%s"}'),
    ("POST", "/api/tables", '{"name": "X", "columns": [{"name": "a", "type": "%s"}]}'),
    (
        "POST",
        "/api/tables",
        '{"name": "X", "columns": [{"name": "a", "type": "TEXT", "default": "%s"}]}',
    ),
    (
        "POST",
        "/api/tables",
        '{"name": "X", "columns": [{"name": "a", "type": "JSON", "default": {"b": "%s"}}]}',
    ),
    ("POST", "/api/tables", '{"name": "X", "json_schema": {"type": "object", "%s": 1}}'),
    (
        "POST",
        "/api/tables",
        '{"name": "X", "json_schema": {"type": "object", "properties": {"%s": {}}}}',
    ),
    (
        "POST",
        "/api/tables",
        '{"name": "X", "json_schema": {"type": "object", "description": "%s", "properties": {}}}',
    ),
    (
        "POST",
        "/api/tables",
        '{"name": "X", "json_schema": {"properties": {"a": {"description": "%s"}}}}',
    ),
    ("PATCH", "/api/tables/{table}", '{"rename": "%s"}'),
    ("PATCH", "/api/tables/{table}", '{"drop": ["%s"]}'),
    ("PATCH", "/api/tables/{table}", '{"alter": [{"name": "a", "description": "%s"}]}'),
    ("PATCH", "/api/tables/{table}", '{"alter": [{"name": "%s", "type": "INT"}]}'),
    ("POST", "/api/tables/{table}/records", '{"%s": 1}'),
    ("POST", "/api/tables/{table}/records", '[{"a": "%s"}]'),
    ("POST", "/api/insert-record", '{"table_name": "{table}", "data": {"%s": 1}}'),
    ("POST", "/api/insert-record", '{"table_name": "{table}", "data": {}, "%s": 1}'),
    ("PATCH", "/api/tables/{table}/records/1", '{"a": "%s"}'),
    ("PUT", "/api/tables/{table}/grants/bob@example.com", '{"level": "%s"}'),
]


@pytest.mark.parametrize("odd", ["\\u0000", "\\ud800", "x\\udfff"])
@pytest.mark.parametrize(("method", "path", "body"), BODIES)
async def test_in_bodies(service: Service, method: str, path: str, body: str, odd: str) -> None:
    table = new_name()
    await service.ann.table(table, "a TEXT")
    await service.ann.insert(table, {"a": "x"})
    answer = await service.ann(
        method,
        path.replace("{table}", table),
        content=body.replace("{table}", table).replace("%s", odd),
    )
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"]


@pytest.mark.parametrize("odd", ["%00", "%ED%A0%80", "%FF"])
@pytest.mark.parametrize(
    ("path", "statuses"),
    [
        ("/api/tables/%s", {422}),
        ("/api/tables/%s/records", {422}),
        ("/api/tables/{table}/grants/%s", {405}),
        ("/api/tables/{table}/records?q=%s", {422}),
        ("/api/tables/{table}/records?a=%s", {422}),
        ("/api/tables/{table}/records?%s=1", {422}),
        ("/api/tables/{table}/records?sort=%s", {422}),
        ("/api/tables/{table}/records?cursor=%s", {422}),
        ("/api/tables?cursor=%s", {422}),
        ("/api/get-records?table_name=%s", {422}),
        ("/api/tables/{table}/export?a__in=%s", {422}),
    ],
)
async def test_in_addresses(service: Service, path: str, statuses: set[int], odd: str) -> None:
    table = new_name()
    await service.ann.table(table, "a TEXT")
    answer = await service.ann("GET", path.replace("{table}", table).replace("%s", odd))
    if "?" in path and odd != "%00":
        statuses = {400}
    assert answer.status_code in statuses, answer.text


@pytest.mark.parametrize("odd", ["%00", "%FF"])
async def test_in_grants(service: Service, odd: str) -> None:
    table = new_name()
    await service.ann.table(table, "a TEXT")
    path = f"/api/tables/{table}/grants/{odd}"
    assert (await service.ann("PUT", path, {"level": "viewer"})).status_code == 422
    assert (await service.ann("DELETE", path)).status_code == 422
