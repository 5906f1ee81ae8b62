"""Rules of columns and keys of several: held by PostgreSQL, named by the API, and altered."""

from typing import Any

import asyncpg
import pytest

from tests.records.conftest import Client, Service, new_name

ZIP = {"name": "zip", "type": "TEXT", "rules": {"pattern": r"^\d{5}$"}}
AGE = {"name": "age", "type": "INTEGER", "rules": {"min": 0, "exclusive_max": 150}}
KIND = {"name": "kind", "type": "TEXT", "rules": {"enum": ["red", "green", "blue"]}}
NAME = {"name": "name", "type": "TEXT", "rules": {"min_length": 2, "max_length": 5}}
BORN = {"name": "born", "type": "DATE", "rules": {"min": "1900-01-01", "max": "2026-12-31"}}
PRICE = {"name": "price", "type": "NUMERIC(6,2)", "rules": {"exclusive_min": 0}}
ALL = [ZIP, AGE, KIND, NAME, BORN, PRICE]


async def made(ann: Client, *columns: Any, **more: Any) -> tuple[str, str]:
    table = new_name()
    await ann.table(table, *columns, **more)
    return table, f"/api/tables/{table}/records"


def faults(answer: Any) -> list[tuple[str, str]]:
    assert answer.status_code == 422, answer.text
    return [(each["field"], each["code"]) for each in answer.json()["errors"]]


async def test_definitions_show_their_rules(service: Service) -> None:
    ann = service.ann
    table, _ = await made(ann, *ALL, "free TEXT")
    columns = (await ann("GET", f"/api/tables/{table}")).json()["columns"]
    assert [each.get("rules") for each in columns] == [
        *(column["rules"] for column in ALL),
        None,
    ]


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("zip", "1234", "pattern_mismatch"),
        ("zip", "123456", "pattern_mismatch"),
        ("age", -1, "below_min"),
        ("age", 150, "above_max"),
        ("kind", "rde", "not_in_enum"),
        ("name", "x", "too_short"),
        ("name", "abcdef", "too_long"),
        ("born", "1899-12-31", "below_min"),
        ("born", "2027-01-01", "above_max"),
        ("price", 0, "below_min"),
    ],
)
async def test_a_value_that_breaks_a_rule_is_refused(
    service: Service, field: str, value: Any, code: str
) -> None:
    ann = service.ann
    table, path = await made(ann, *ALL)
    (record_id,) = await ann.insert(table, {})
    record = f"{path}/{record_id}"
    assert faults(await ann("POST", path, {field: value})) == [(field, code)]
    assert faults(await ann("POST", path, [{}, {field: value}])) == [(f"[1].{field}", code)]
    assert faults(await ann("PATCH", record, {field: value})) == [(field, code)]
    assert faults(await ann("PUT", record, {field: value})) == [(field, code)]
    assert faults(await ann("PATCH", f"{path}?id=1", {field: value})) == [(field, code)]
    # PostgreSQL holds it, whoever writes.
    connection = await asyncpg.connect(service.database.url("ingest"))
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute(
            f'INSERT INTO data."{table}" ("{field}")'
            f' SELECT "{field}" FROM jsonb_populate_record(NULL::data."{table}", $1::jsonb)',
            f'{{"{field}": {value if isinstance(value, int) else chr(34) + value + chr(34)}}}',
        )
    await connection.close()


async def test_what_passes_is_kept_and_null_passes_all(service: Service) -> None:
    ann = service.ann
    _, path = await made(ann, *ALL)
    good = {
        "zip": "10115",
        "age": 0,
        "kind": "blue",
        "name": "ab",
        "born": "1900-01-01",
        "price": 0.01,
    }
    for record in (good, {}, dict.fromkeys(good)):
        answer = await ann("POST", path, record)
        assert answer.status_code == 201, answer.text
    answer = await ann("POST", path, {"kind": "rde", "age": -1, "name": "x"})
    assert {field for field, _ in faults(answer)} == {"kind", "age", "name"}
    assert "the nearest is 'red'" in answer.text


@pytest.mark.parametrize(
    ("column", "field"),
    [
        ({"type": "INTEGER", "rules": {"min_length": 1}}, "rules.min_length"),
        ({"type": "TEXT", "rules": {"min": 1}}, "rules.min"),
        ({"type": "JSON", "rules": {"enum": [1]}}, "rules.enum"),
        ({"type": "BYTEA", "rules": {"enum": ["\\x00"]}}, "rules.enum"),
        ({"type": "INTEGER", "rules": {"min": "x"}}, "rules.min"),
        ({"type": "SMALLINT", "rules": {"max": 99999}}, "rules.max"),
        ({"type": "DOUBLE PRECISION", "rules": {"max": "NaN"}}, "rules.max"),
        ({"type": "INTEGER", "rules": {"min": 5, "max": 4}}, "rules"),
        ({"type": "INTEGER", "rules": {"exclusive_min": 5, "max": 5}}, "rules"),
        ({"type": "TEXT", "rules": {"min_length": 5, "max_length": 4}}, "rules"),
        ({"type": "TEXT", "rules": {"min_length": -1}}, "rules.min_length"),
        ({"type": "TEXT", "rules": {"pattern": "(?=x)"}}, "rules.pattern"),
        ({"type": "TEXT", "rules": {"pattern": "x" * 501}}, "rules.pattern"),
        ({"type": "INTEGER", "rules": {"enum": [1, "x"]}}, "rules.enum.1"),
        ({"type": "TEXT", "rules": {"enum": []}}, "rules.enum"),
        ({"type": "TEXT", "rules": {"nope": 1}}, "rules.nope"),
        ({"type": "INTEGER", "rules": {"min": 5}, "default": 4}, "default"),
    ],
)
async def test_rules_that_cannot_be(service: Service, column: Any, field: str) -> None:
    body = {"name": new_name(), "columns": [{"name": "a", **column}]}
    answer = await service.ann("POST", "/api/tables", body)
    assert [name for name, _ in faults(answer)] == [f"columns.0.{field}"]


async def test_a_pattern_that_is_too_much_for_postgresql(service: Service) -> None:
    pattern = "(?:(?:a|b|c|d)(?:e|f){1,99}){1,99}" * 4
    column = {"name": "a", "type": "TEXT", "rules": {"pattern": pattern}}
    body = {"name": new_name(), "columns": [column]}
    answer = await service.ann("POST", "/api/tables", body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["code"] == "unsupported_pattern"


async def test_altering_rules_looks_at_the_rows(service: Service) -> None:
    ann = service.ann
    table, path = await made(ann, "a INTEGER", "b TEXT")
    await ann.insert(table, *({"a": n, "b": "x" * n} for n in range(15)))
    where = f"/api/tables/{table}"

    async def alter(**change: Any) -> Any:
        return await ann("PATCH", where, {"alter": [change]})

    refused = await alter(name="a", rules={"min": 12})
    assert (refused.status_code, refused.json()["code"]) == (409, "rows_in_the_way")
    assert len(refused.json()["errors"]) == 10
    assert refused.json()["errors"][0]["field"] == "alter.0.rules.min"
    assert (await alter(name="a", rules={"min": 0, "max": 20})).status_code == 200
    assert faults(await ann("POST", path, {"a": 21})) == [("a", "above_max")]
    assert (await alter(name="a", rules={"max": 30})).status_code == 200
    assert (await ann("POST", path, {"a": -5})).status_code == 201
    assert faults(await ann("POST", path, {"a": 31})) == [("a", "above_max")]
    assert (await alter(name="a", rename="n", type="BIGINT")).status_code == 200
    assert faults(await ann("POST", path, {"n": 31})) == [("n", "above_max")]
    not_for_text = await alter(name="n", type="TEXT")
    assert faults(not_for_text) == [("alter.0.type", "rule_does_not_fit")]
    both = await alter(name="n", type="TEXT", rules={"max_length": 3})
    assert both.status_code == 200, both.text
    assert (await alter(name="n", rules=None)).json()["columns"][0].get("rules") is None
    assert (await ann("POST", path, {"n": "something long"})).status_code == 201


async def test_keys_of_several_columns(service: Service) -> None:
    ann = service.ann
    table, path = await made(ann, "station TEXT", "day DATE", "n INT", unique=[["station", "day"]])
    where = f"/api/tables/{table}"
    assert (await ann("GET", where)).json()["unique"] == [["station", "day"]]
    await ann.insert(table, {"station": "a", "day": "2026-01-01", "n": 1})
    again = await ann("POST", path, {"station": "a", "day": "2026-01-01"})
    assert (again.status_code, [each["field"] for each in again.json()["errors"]]) == (
        409,
        ["station", "day"],
    )
    key = {"on_conflict": "update", "key": "station,day"}
    body = [{"station": "a", "day": "2026-01-01", "n": 2}, {"station": "a", "day": "2026-01-02"}]
    answer = await ann("POST", path, body, params=key)
    assert (answer.json()["inserted"], answer.json()["updated"]) == (1, 1)
    schema = (await ann("GET", f"{where}/schema")).json()
    assert schema["x-unique"] == [["station", "day"]]
    change = {
        "alter": [{"name": "day", "rename": "date"}],
        "add": [{"name": "hour", "type": "INT", "default": 0}],
        "unique": {"add": [["station", "date", "hour"]], "drop": [["day", "station"]]},
    }
    changed = await ann("PATCH", where, change)
    assert changed.status_code == 200, changed.text
    assert changed.json()["unique"] == [["station", "date", "hour"]]
    again = await ann("PATCH", where, {"unique": {"add": [["date", "hour", "station"]]}})
    assert again.json()["unique"] == [["station", "date", "hour"]]
    anew = {"unique": {"drop": [["hour", "station", "date"]], "add": [["date", "hour"]]}}
    assert (await ann("PATCH", where, anew)).json()["unique"] == [["date", "hour"]]
    same_name = {
        "drop": ["hour"],
        "add": [{"name": "hour", "type": "INT"}],
        "unique": {"add": [["date", "hour"]]},
    }
    assert (await ann("PATCH", where, same_name)).json()["unique"] == [["date", "hour"]]
    await ann.insert(table, {"station": "b", "n": 2}, {"station": "b", "n": 2})
    crowded = await ann("PATCH", where, {"unique": {"add": [["station", "n"]]}})
    assert (crowded.status_code, crowded.json()["code"]) == (409, "rows_in_the_way")
    for wrong, field in (
        ({"add": [["station", "nope"]]}, "unique.add.0"),
        ({"add": [["station", "station"]]}, "unique.add.0"),
        ({"drop": [["station", "n"]]}, "unique.drop.0"),
    ):
        assert faults(await ann("PATCH", where, {"unique": wrong}))[0][0] == field


CALLED: list[dict[str, Any]] = [
    {"name": "at", "type": "TIMESTAMPTZ", "default": {"call": "now"}},
    {"name": "local", "type": "TIMESTAMP", "default": {"call": "now"}},
    {"name": "day", "type": "DATE", "default": {"call": "today"}},
    {"name": "key", "type": "UUID", "default": {"call": "uuid"}, "unique": True},
    {"name": "who", "type": "TEXT", "default": {"call": "user"}},
    {"name": "n", "type": "INT"},
]


async def test_defaults_that_move(service: Service) -> None:
    ann = service.ann
    table, path = await made(ann, *CALLED)
    columns = (await ann("GET", f"/api/tables/{table}")).json()["columns"]
    assert [each["default"] for each in columns] == [each.get("default") for each in CALLED]
    one = (await ann("POST", path, {"n": 1})).json()
    assert one["who"] == "ann@example.com"
    assert one["at"].startswith(one["day"])
    assert one["at"].startswith(one["local"][:19])
    many = (await ann("POST", path, [{"n": 2}, {"n": 3}, {"n": 4, "who": "me"}])).json()["ids"]
    records = [(await ann("GET", f"{path}/{record_id}")).json() for record_id in many]
    assert [each["who"] for each in records] == ["ann@example.com", "ann@example.com", "me"]
    assert len({each["key"] for each in records}) == 3
    reset = (await service.admin("PUT", f"{path}/1", {"n": 5})).json()
    assert reset["who"] == "admin@example.com"
    assert reset["key"] != one["key"]
    keyed = await ann("POST", path, {"n": 6}, headers={"Idempotency-Key": f"{table}-1"})
    assert keyed.json()["who"] == "ann@example.com"
    upserted = await ann("POST", f"{path}?on_conflict=update&key=key", {"key": one["key"], "n": 9})
    assert upserted.json()["who"] == "ann@example.com"
    schema = (await ann("GET", f"/api/tables/{table}/schema")).json()
    copy = await ann("POST", "/api/tables", {"name": new_name(), "json_schema": schema})
    assert [each["default"] for each in copy.json()["columns"]] == [
        each.get("default") for each in CALLED
    ]


async def test_the_verb_face_calls_defaults_too(service: Service) -> None:
    ann, table = service.ann, new_name()
    fields = {
        "at": "TIMESTAMPTZ NOT NULL DEFAULT now()",
        "day": "DATE DEFAULT CURRENT_DATE",
        "key": "UUID DEFAULT gen_random_uuid()",
        "who": "TEXT DEFAULT user()",
    }
    made_by_verb = await ann("POST", "/api/create-table", {"table_name": table, "fields": fields})
    assert made_by_verb.status_code == 201, made_by_verb.text
    assert [each["default"] for each in made_by_verb.json()["columns"]] == [
        {"call": "now"},
        {"call": "today"},
        {"call": "uuid"},
        {"call": "user"},
    ]
    column = {"table_name": table, "column_name": "later", "column_type": "TIMESTAMP DEFAULT now()"}
    assert (await ann("POST", "/api/add-column", column)).status_code == 200
    record = await ann("POST", "/api/insert-record", {"table_name": table, "data": {}})
    assert record.json()["who"] == "ann@example.com"
    assert all(record.json().values())


@pytest.mark.parametrize(
    ("kind", "default"),
    [
        ("TEXT", {"call": "now"}),
        ("DATE", {"call": "now"}),
        ("UUID", {"call": "user"}),
        ("DATE", {"call": "nope"}),
        ("DATE", {"calls": "today"}),
    ],
)
async def test_calls_that_a_type_does_not_take(service: Service, kind: str, default: Any) -> None:
    columns = [{"name": "a", "type": kind, "default": default}]
    answer = await service.ann("POST", "/api/tables", {"name": new_name(), "columns": columns})
    assert [field for field, _ in faults(answer)] == ["columns.0.default"]


async def test_every_fault_of_a_definition_is_named_at_once(service: Service) -> None:
    body = {
        "name": new_name(),
        "columns": [
            {"name": "1a", "type": "NOPE"},
            {"name": "b", "type": "INT", "default": "x", "rules": {"pattern": "x"}},
            {"name": "c", "type": "INT", "searchable": True},
        ],
    }
    answer = await service.ann("POST", "/api/tables", body)
    assert {field for field, _ in faults(answer)} == {
        "columns.0.name",
        "columns.0.type",
        "columns.1.default",
        "columns.1.rules.pattern",
        "columns.2.searchable",
    }
    table, _ = await made(service.ann, "a INT")
    change = {
        "drop": ["nope"],
        "alter": [{"name": "a", "type": "NOPE"}, {"name": "gone", "nullable": True}],
        "add": [{"name": "_x", "type": "INT"}],
    }
    changed = await service.ann("PATCH", f"/api/tables/{table}", change)
    assert {field for field, _ in faults(changed)} == {
        "drop.0",
        "alter.0.type",
        "alter.1.name",
        "add.0.name",
    }
