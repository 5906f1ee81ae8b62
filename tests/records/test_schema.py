"""JSON Schema in and out, names and types, and the OpenAPI document of one table."""

from typing import Any

import asyncpg
import pytest

from services.records.domain import checked_name
from services.records.types.words import field_of, type_of
from shared.errors import InvalidInputError
from tests.records.conftest import Service, new_name

EVERYTHING: list[dict[str, Any]] = [
    {"name": "t", "type": "TEXT", "default": "it's \\ ok", "searchable": True},
    {"name": "v", "type": "VARCHAR(20)", "unique": True, "nullable": False},
    {"name": "c", "type": "CHAR(3)", "default": "ab"},
    {"name": "s", "type": "SMALLINT", "default": -5},
    {"name": "i", "type": "INTEGER", "nullable": False, "default": 0},
    {"name": "b", "type": "BIGINT", "default": "9223372036854775807"},
    {"name": "n", "type": "NUMERIC", "default": "12345678901234567890.5"},
    {"name": "m", "type": "NUMERIC(10,2)", "default": 1.5},
    {"name": "r", "type": "REAL", "default": 1.5},
    {"name": "d", "type": "DOUBLE PRECISION", "default": "NaN"},
    {"name": "o", "type": "BOOLEAN", "default": True, "nullable": False},
    {"name": "day", "type": "DATE", "default": "2026-01-31", "description": "A day"},
    {"name": "at", "type": "TIME", "default": "10:00:00"},
    {"name": "ts", "type": "TIMESTAMP", "default": "2026-01-31T10:00:00"},
    {"name": "tz", "type": "TIMESTAMPTZ", "default": "2026-01-31T10:00:00+02:00"},
    {"name": "iv", "type": "INTERVAL", "default": "P1DT2H"},
    {"name": "u", "type": "UUID", "nullable": False},
    {"name": "j", "type": "JSON", "default": {"a": [1, "x"]}},
    {"name": "x", "type": "BYTEA", "default": "\\x00ff"},
    {"name": "jn", "type": "JSON", "nullable": False},
]


def shape(table: dict[str, Any]) -> Any:
    return [table["columns"], table["description"]]


async def test_a_table_made_from_its_own_schema_is_the_same_table(service: Service) -> None:
    first, second = new_name(), new_name()
    made = await service.ann.table(first, *EVERYTHING, description="All types")
    schema = (await service.ann("GET", f"/api/tables/{first}/schema")).json()
    answer = await service.ann("POST", "/api/tables", {"name": second, "json_schema": schema})
    assert answer.status_code == 201, answer.text
    assert shape(answer.json()) == shape(made)
    again = (await service.ann("GET", f"/api/tables/{second}/schema")).json()
    assert {**again, "title": first} == schema
    record = {"v": "x", "u": "3fa85f64-5717-4562-b3fc-2c963f66afa6", "jn": []}
    inserted = await service.ann("POST", f"/api/tables/{second}/records", record)
    assert inserted.status_code == 201, inserted.text
    body = inserted.json()
    assert (body["t"], body["b"], body["m"], body["d"]) == (
        "it's \\ ok",
        9223372036854775807,
        1.5,
        "NaN",
    )
    assert body["tz"] == "2026-01-31T08:00:00+00:00"
    assert set(schema["required"]) == {"v", "u", "jn"}


async def test_definitions_come_back_as_they_were_given(service: Service) -> None:
    table = await service.ann.table(new_name(), *EVERYTHING)
    plain = {"nullable": True, "unique": False, "default": None, "description": None}
    for given, told in zip(EVERYTHING, table["columns"], strict=True):
        wanted = {**plain, "searchable": False, **given}
        if given["name"] == "tz":
            wanted["default"] = "2026-01-31 08:00:00+00"
        if given["name"] == "ts":
            wanted["default"] = "2026-01-31 10:00:00"
        if given["name"] == "c":
            wanted["default"] = "ab"
        assert told == wanted


async def test_schemas_from_elsewhere_are_read(service: Service) -> None:
    schema = {
        "type": "object",
        "$defs": {"Kind": {"enum": ["a", "b"]}, "Loop": {"$ref": "#/$defs/Loop"}},
        "required": ["name", "when"],
        "properties": {
            "id": {"type": "string"},
            "name": {"type": "string", "maxLength": 50},
            "when": {"type": "string", "format": "date-time"},
            "age": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
            "small": {"type": "integer", "minimum": 0, "maximum": 100},
            "price": {"type": "number"},
            "ratio": {"type": "number", "format": "double"},
            "kind": {"$ref": "#/$defs/Kind"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "any": {},
            "yes": {"type": "boolean", "default": False},
        },
    }
    name = new_name()
    answer = await service.ann("POST", "/api/tables", {"name": name, "json_schema": schema})
    assert answer.status_code == 201, answer.text
    assert {
        each["name"]: (each["type"], each["nullable"]) for each in answer.json()["columns"]
    } == {
        "name": ("VARCHAR(50)", False),
        "when": ("TIMESTAMPTZ", False),
        "age": ("BIGINT", True),
        "small": ("SMALLINT", True),
        "price": ("NUMERIC", True),
        "ratio": ("DOUBLE PRECISION", True),
        "kind": ("TEXT", True),
        "tags": ("JSON", True),
        "any": ("JSON", True),
        "yes": ("BOOLEAN", False),
    }
    for broken in (
        {"type": "array"},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/None"}}},
        {**schema, "properties": {"a": {"$ref": "#/$defs/Loop"}}},
        {"type": "object", "properties": {"a b": {"type": "string"}}},
    ):
        refused = await service.ann("POST", "/api/tables", {"name": name, "json_schema": broken})
        assert refused.status_code == 422, refused.text
    both = await service.ann(
        "POST", "/api/tables", {"name": name, "json_schema": {}, "columns": []}
    )
    assert both.status_code == 422


@pytest.mark.parametrize(
    "name",
    [
        "",
        "_a",
        "1a",
        "a b",
        'a"b',
        "a%b",
        "a:b",
        "a;b",
        "a'b",
        "a.b",
        "a/b",
        "a-b",
        "id",
        "ctid",
        "xmin",
        "a\0",
        "\ud800",
        "я" * 40,
        "a" * 64,
        "😀",
        "²",
    ],
)
async def test_names_that_break_the_rule_are_refused(service: Service, name: str) -> None:
    with pytest.raises(InvalidInputError):
        checked_name(name, of="name")
    if "\ud800" in name:
        return
    table = await service.ann("POST", "/api/tables", {"name": name, "columns": []})
    assert (table.status_code, table.json()["errors"][0]["field"]) == (422, "name")
    column = await service.ann(
        "POST", "/api/tables", {"name": new_name(), "columns": [{"name": name, "type": "INT"}]}
    )
    assert (column.status_code, column.json()["errors"][0]["field"]) == (422, "columns.0.name")


@pytest.mark.parametrize(
    "name", ["user", "table", "Select", "Größe", "数据", "я" * 31, "a" * 63, "A", "नमस्ते", "a__eq"]
)
async def test_names_that_keep_the_rule_work(service: Service, name: str) -> None:
    ann = service.ann
    made = await ann(
        "POST", "/api/tables", {"name": name, "columns": [{"name": name, "type": "INT"}]}
    )
    assert made.status_code == 201, made.text
    path = made.headers["Location"]
    assert (await ann("POST", f"{path}/records", {name: 5})).json() == {"id": 1, name: 5}
    page = await ann("GET", f"{path}/records", params={f"{name}__gt": "4", "sort": f"-{name}"})
    assert page.json()["items"] == [{"id": 1, name: 5}]
    assert (await ann("DELETE", path)).status_code == 204


async def test_a_decomposed_name_is_the_same_name(service: Service) -> None:
    name = new_name("Cafe\u0301")
    made = await service.ann.table(name, "e\u0301 INT")
    assert made["name"] == name.replace("e\u0301", "é")
    assert made["columns"][0]["name"] == "é"
    assert (await service.ann("GET", f"/api/tables/{name}")).status_code == 200


async def test_a_taken_name_is_a_conflict(service: Service) -> None:
    table = new_name()
    await service.ann.table(table, {"name": "a", "type": "INT", "unique": True})
    for name in (table, f"{table}_a_key", f"{table}_id_seq"):
        answer = await service.ann("POST", "/api/tables", {"name": name, "columns": []})
        assert (answer.status_code, answer.json()["code"]) == (409, "name_taken")
    twice = [{"name": "a", "type": "INT"}, {"name": "a", "type": "INT"}]
    answer = await service.ann("POST", "/api/tables", {"name": new_name(), "columns": twice})
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("words", "spelled"),
    [
        ("int", "INTEGER"),
        (" Decimal ( 10 , 2 ) ", "NUMERIC(10,2)"),
        ("numeric(5)", "NUMERIC(5,0)"),
        ("double   precision", "DOUBLE PRECISION"),
        ("float", "DOUBLE PRECISION"),
        ("jsonb", "JSON"),
        ("varchar(7)", "VARCHAR(7)"),
        ("timestamptz", "TIMESTAMPTZ"),
    ],
)
def test_types_in_any_case(words: str, spelled: str) -> None:
    assert type_of(words, of="x").spelled() == spelled


@pytest.mark.parametrize(
    "words",
    [
        "",
        "STRING",
        "TEXT; DROP TABLE x",
        "TEXT[]",
        "VARCHAR",
        "VARCHAR(0)",
        "VARCHAR(99999999999)",
        "NUMERIC(39)",
        "NUMERIC(5,6)",
        "TEXT(5)",
        "INT UNIQUE",
        "SERIAL",
        "pg_catalog.int4",
        "DOUBLE",
        "TEXT COLLATE x",
    ],
)
def test_other_types_are_refused(words: str) -> None:
    with pytest.raises(InvalidInputError):
        type_of(words, of="x")


@pytest.mark.parametrize(
    ("words", "unique", "nullable", "default"),
    [
        ("TEXT", False, True, None),
        ("text unique not null", True, False, None),
        ("INT NOT  NULL DEFAULT -5 UNIQUE", True, False, "-5"),
        ("TEXT DEFAULT 'it''s UNIQUE'", False, True, "it's UNIQUE"),
        ("BOOLEAN DEFAULT True", False, True, "true"),
        ("TEXT DEFAULT NULL", False, True, None),
        ("NUMERIC(5,2) default 1.50", False, True, "1.50"),
    ],
)
def test_fields_of_the_verb_face(
    words: str, unique: bool, nullable: bool, default: str | None
) -> None:
    field = field_of(words, of="x")
    assert (field.unique, field.nullable, field.default) == (unique, nullable, default)


@pytest.mark.parametrize(
    "words",
    [
        "TEXT PRIMARY KEY",
        "TEXT DEFAULT now()",
        "TEXT DEFAULT 'a' || 'b'",
        "TEXT DEFAULT",
        "TEXT NOT",
        "TEXT UNIQUEX",
        "TEXT DEFAULT 'a'); DROP TABLE x",
        "TEXT CHECK (true)",
        "INT REFERENCES other",
    ],
)
def test_other_modifiers_are_refused(words: str) -> None:
    with pytest.raises(InvalidInputError):
        field_of(words, of="x")


async def test_searchable_needs_the_extension_and_a_text(service: Service) -> None:
    column = {"name": "a", "type": "INT", "searchable": True}
    answer = await service.ann("POST", "/api/tables", {"name": new_name(), "columns": [column]})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "not_a_text")
    column["type"] = "CHAR(5)"
    padded = await service.ann("POST", "/api/tables", {"name": new_name(), "columns": [column]})
    assert padded.status_code == 422
    column["type"] = "VARCHAR(5)"
    made = await service.ann("POST", "/api/tables", {"name": new_name(), "columns": [column]})
    assert made.json()["columns"][0]["searchable"] is True
    connection = await asyncpg.connect(service.database.superuser_url)
    await connection.execute("DROP EXTENSION pg_trgm CASCADE")
    column["type"] = "TEXT"
    refused = await service.ann("POST", "/api/tables", {"name": new_name(), "columns": [column]})
    await connection.execute("CREATE EXTENSION pg_trgm SCHEMA public")
    await connection.close()
    assert (refused.status_code, refused.json()["code"]) == (409, "extension_missing")
    assert "pg_trgm" in refused.json()["detail"]


def references(part: Any) -> list[str]:
    """Every `$ref` in a document."""
    if isinstance(part, list):
        return [each for item in part for each in references(item)]
    if not isinstance(part, dict):
        return []
    own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
    return [*own, *(each for item in part.values() for each in references(item))]


async def test_the_openapi_document_is_of_this_table_and_lives(service: Service) -> None:
    name = new_name("Größe")
    await service.ann.table(name, *EVERYTHING, {"name": "limit", "type": "INT"})
    path = f"/api/tables/{name}/openapi.json"
    answer = await service.ann("GET", path)
    assert answer.status_code == 200
    document = answer.json()
    assert document["openapi"] == "3.1.0"
    assert set(references(document)) <= {
        f"#/components/{kind}/{name}"
        for kind, things in document["components"].items()
        for name in things
    }
    assert len(document["paths"]) == 4
    listing = next(iter(document["paths"].values()))["get"]
    parameters = {each["name"]: each["schema"] for each in listing["parameters"]}
    assert parameters["i__gte"]["type"] == "integer"
    assert parameters["day__lt"]["format"] == "date"
    assert "t__icontains" in parameters
    assert "i__icontains" not in parameters
    assert parameters["limit"]["maximum"] == 1000
    assert parameters["limit__eq"]["type"] == "integer"
    record = document["components"]["schemas"]["NewRecord"]
    assert record["properties"]["v"]["maxLength"] == 20
    titles = [each.get("title") for each in document["components"]["schemas"].values()]
    assert name not in titles  # Swagger UI would show it for each of three
    same = await service.ann("GET", path, headers={"If-None-Match": answer.headers["ETag"]})
    assert (same.status_code, same.text) == (304, "")
    await service.ann("PATCH", f"/api/tables/{name}", {"drop": ["day"]})
    changed = await service.ann("GET", path, headers={"If-None-Match": answer.headers["ETag"]})
    assert changed.status_code == 200
    assert "day" not in changed.json()["components"]["schemas"]["NewRecord"]["properties"]


async def test_the_example_of_the_document_can_be_sent(service: Service) -> None:
    name = new_name()
    await service.ann.table(name, *EVERYTHING)
    document = (await service.ann("GET", f"/api/tables/{name}/openapi.json")).json()
    path, operations = next(iter(document["paths"].items()))
    example = operations["post"]["requestBody"]["content"]["application/json"]["example"]
    answer = await service.ann("POST", path, example)
    assert answer.status_code == 201, answer.text


async def test_defaults_keep_their_digits(service: Service) -> None:
    ann, table = service.ann, new_name()
    exact, whole = "0.12345678901234567890123456789012345678", str(2**63 - 1)
    columns = (
        f'{{"name": "e", "type": "NUMERIC", "default": {exact}}},'
        f'{{"name": "w", "type": "BIGINT", "default": {whole}}},'
        '{"name": "z", "type": "NUMERIC", "default": 1.10},'
        '{"name": "j", "type": "JSON", "default": {"n": 1.10, "list": [12345678901234567890.5]}}'
    )
    body = f'{{"name": "{table}", "columns": [{columns}]}}'
    made = await ann("POST", "/api/tables", content=body)
    assert made.status_code == 201, made.text
    change = f'{{"add": [{{"name": "late", "type": "NUMERIC", "default": {exact}}}]}}'
    assert (await ann("PATCH", f"/api/tables/{table}", content=change)).status_code == 200
    record = (await ann("POST", f"/api/tables/{table}/records", {})).text
    assert f'"e":{exact},"w":{whole},"z":1.10' in record
    assert '"n": 1.10' in record
    assert "12345678901234567890.5" in record
    assert f'"late":{exact}' in record


@pytest.mark.parametrize("value", ["true", "yes", 1, "1"])
@pytest.mark.parametrize("name", ["nullable", "unique", "searchable"])
async def test_a_truth_value_is_true_or_false(service: Service, name: str, value: object) -> None:
    column = {"name": "a", "type": "TEXT", name: value}
    answer = await service.ann("POST", "/api/tables", {"name": new_name(), "columns": [column]})
    assert answer.status_code == 422
    assert name in answer.json()["errors"][0]["field"]
