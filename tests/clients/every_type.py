"""A table of every type, whose document clients are generated from."""

from typing import Any

import httpx2

TABLE = "OfEveryType"
TYPES = {
    "text": "TEXT",
    "varchar": "VARCHAR(50)",
    "char": "CHAR(5)",
    "smallint": "SMALLINT",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "numeric": "NUMERIC",
    "money": "NUMERIC(12,2)",
    "real": "REAL",
    "double": "DOUBLE PRECISION",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMPTZ",
    "interval": "INTERVAL",
    "uuid": "UUID",
    "json": "JSON",
    "bytea": "BYTEA",
}
DEFAULTS: dict[str, tuple[str, Any]] = {
    "d_text": ("TEXT", "x"),
    "d_bigint": ("BIGINT", 9007199254740993),
    "d_numeric": ("NUMERIC", "1.10"),
    "d_double": ("DOUBLE PRECISION", "NaN"),
    "d_boolean": ("BOOLEAN", True),
    "d_json": ("JSON", {"a": [1]}),
    "d_timestamptz": ("TIMESTAMPTZ", {"call": "now"}),
    "d_uuid": ("UUID", {"call": "uuid"}),
}
ODD_NAMES = ("a", "a__gt", "limit", "format", "class", "Straße", "next")


def make_table(http: httpx2.Client) -> Any:
    """Make the table, with one record; its document."""
    http.delete(f"/api/tables/{TABLE}")
    columns: list[dict[str, Any]] = [{"name": name, "type": kind} for name, kind in TYPES.items()]
    columns += [
        {"name": name, "type": kind, "default": default, "nullable": False}
        for name, (kind, default) in DEFAULTS.items()
    ]
    columns += [{"name": name, "type": "TEXT"} for name in ODD_NAMES]
    columns += [
        {"name": "choice", "type": "TEXT", "rules": {"enum": ["one", "two", "three four"]}},
        {"name": "bounded", "type": "INTEGER", "rules": {"min": 1, "max": 10}},
    ]
    made = http.post("/api/tables", json={"name": TABLE, "columns": columns})
    assert made.status_code == 201, made.text
    record = {"text": "first", "double": "NaN", "json": {"k": [1.5, None]}, "a": "1", "a__gt": "2"}
    assert http.post(f"/api/tables/{TABLE}/records", json=record).status_code == 201
    return http.get(f"/api/tables/{TABLE}/openapi.json").json()
