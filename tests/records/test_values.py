"""Values that are written in one of the ways that the type table allows, through every door."""

from typing import Any

import pytest

from tests.records.conftest import Service, new_name

RESPELLED: list[tuple[str, str, Any]] = [
    ("INTEGER", "-3.00", -3),
    ("BIGINT", "9223372036854775807.0", 9223372036854775807),
    ("DATE", "2024-01-05 00:00:00 +0000 UTC", "2024-01-05"),
    ("TIMESTAMPTZ", "2024-01-05 10:11:12.5 +0000 UTC", "2024-01-05T10:11:12.5+00:00"),
    ("INTERVAL", "-P1DT2H", "P-1DT-2H"),
    ("INTERVAL", "+P1M", "P1M"),
    ("INTERVAL", "-PT0.5S", "PT-0.5S"),
]
"""What PostgreSQL would not read as it is written, and what it holds then."""


@pytest.mark.parametrize(("kind", "text", "value"), RESPELLED)
async def test_a_spelling_that_postgresql_does_not_read(
    service: Service, kind: str, text: str, value: Any
) -> None:
    name = new_name()
    path = f"/api/tables/{name}/records"
    await service.ann.table(
        name,
        {"name": "key", "type": "TEXT", "unique": True},
        {"name": "a", "type": kind},
        {"name": "d", "type": kind, "default": text},
        {"name": "n", "type": "NUMERIC"},
    )
    body = {"key": "one", "a": text, "n": 1.5}
    one = (await service.ann("POST", path, body)).json()
    assert (one["a"], one["d"], one["n"]) == (value, value, 1.5)
    record = f"{path}/{one['id']}"
    for method in ("PATCH", "PUT"):
        changed = await service.ann(method, record, {"key": "one", "a": text, "d": None})
        assert (changed.json()["a"], changed.json()["d"]) == (value, None)
    several = [{"key": "two", "a": None}, {"key": "three", "a": text}]
    assert (await service.ann("POST", path, several)).status_code == 201
    upserted = await service.ann("POST", f"{path}?on_conflict=update&key=key", {**body, "d": text})
    assert upserted.json()["d"] == value
    assert (await service.ann("PATCH", f"{path}?key=two", {"a": text})).json() == {"updated": 1}
    listed = await service.ann("GET", path, params={"a": text, "sort": "id"})
    assert [(row["key"], row["a"]) for row in listed.json()["items"]] == [
        ("one", value), ("two", value), ("three", value),
    ]  # fmt: skip
    verb = {"table_name": name, "data": {"key": "four", "a": text}}
    assert (await service.ann("POST", "/api/insert-record", verb)).json()["a"] == value


async def test_timestamps_without_end(service: Service) -> None:
    name = new_name()
    path = f"/api/tables/{name}"
    await service.ann.table(name, "a TIMESTAMPTZ", "b TIMESTAMP")
    await service.ann.insert(
        name,
        {"a": "Infinity", "b": "-infinity"},
        {"a": "2024-01-05t10:11z", "b": "20240105T101112"},
    )
    listed = (await service.ann("GET", f"{path}/records", params={"sort": "-a"})).json()["items"]
    assert [(row["a"], row["b"]) for row in listed] == [
        ("infinity", "-infinity"),
        ("2024-01-05T10:11:00+00:00", "2024-01-05T10:11:12"),
    ]
    exported = await service.ann("GET", f"{path}/export", params={"format": "csv"})
    assert exported.text.splitlines()[1].endswith(",infinity,-infinity")
    refused = await service.ann("GET", f"{path}/export", params={"format": "parquet"})
    assert refused.status_code == 422, refused.text  # a timestamp there has no such value
