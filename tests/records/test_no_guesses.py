"""Requests of which one part would get lost, or mean something else, without a word.

Each is of a kind that users of such APIs have reported as a wrong answer.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.records.conftest import Client, Service, new_name

NOTES = "/api/tables/Notes/records"
TEXTS = ["a\n", "a", "", "a,b", 'a"b', " b", "a\r\nb"]


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def notes(service: Service) -> AsyncIterator[None]:
    kept = {"name": "kept", "type": "TEXT", "nullable": False, "default": "x"}
    await service.ann.table("Notes", "note TEXT", "age INTEGER", "limit INTEGER", "js JSON", kept)
    rows = ({"note": text, "age": place} for place, text in enumerate(TEXTS))
    await service.ann.insert("Notes", *rows)
    yield


async def notes_of(client: Client, **params: Any) -> list[str]:
    answer = await client("GET", NOTES, params=params)
    assert answer.status_code == 200, answer.text
    return [each["note"] for each in answer.json()["items"]]


async def refused(answer: Any, field: str, code: str) -> None:
    assert answer.status_code == 422, answer.text
    assert [(each["field"], each["code"]) for each in answer.json()["errors"]] == [(field, code)]


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ("a\n", ["a\n"]),
        ("a\r\nb", ["a\r\nb"]),
        ("\n", []),
        ('"a,b",a', ["a", "a,b"]),
        ('a"b', ['a"b']),
        ("a, b", ["a", " b"]),
        ("a,", ["a", ""]),
        ('""', [""]),
        ("", []),
    ],
)
async def test_a_list_holds_each_value_as_it_was_sent(
    service: Service, listed: str, expected: list[str]
) -> None:
    assert await notes_of(service.ann, note__in=listed) == expected


async def test_a_list_in_a_body_holds_any_text(service: Service) -> None:
    answer = await service.ann("POST", "/api/tables/Notes/query", {"note__in": TEXTS})
    assert [each["note"] for each in answer.json()["items"]] == TEXTS


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ('note__in="a"b', "note__in", "invalid_list"),
        ('note__in="a', "note__in", "invalid_list"),
        ("age=1&age=2", "age", "given_twice"),
        ("note=a&note__eq=b", "note", "given_twice"),
        ("age__in=1,2&age__in=3", "age__in", "given_twice"),
        ("note__isnull=true&note__isnull=false", "note__isnull", "given_twice"),
        ("sort=--age", "sort", "unknown_column"),
        ("sort=-%2Bage", "sort", "unknown_column"),
        ("sort=note,-note", "sort", "given_twice"),
        ("sort=note,note:code", "sort", "given_twice"),
    ],
)
async def test_a_query_that_contradicts_itself_is_refused(
    service: Service, query: str, field: str, code: str
) -> None:
    await refused(await service.ann("GET", f"{NOTES}?{query}"), field, code)


async def test_filters_that_hold_together_do(service: Service) -> None:
    assert await notes_of(service.ann, note__ne=["a", ""], age__lte=["3", "2"]) == ["a\n"]
    assert await notes_of(service.ann, age=["1", "1"]) == ["a"]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        # A page of a list must not become a filter of a change.
        ("age__gte=0&limit=1", "limit", "unknown_column"),
        # An empty variable of a script.
        ("note__ne=", "note__ne", "rules_nothing_out"),
        ("kept__ne=", "kept__ne", "rules_nothing_out"),
    ],
)
async def test_a_change_by_filter_means_what_the_list_showed(
    service: Service, method: str, query: str, field: str, code: str
) -> None:
    body = {"kept": "y"} if method == "PATCH" else None
    await refused(await service.ann(method, f"{NOTES}?{query}", body), field, code)


async def test_a_column_named_like_a_parameter_has_its_filters(service: Service) -> None:
    for path in (NOTES, "/api/tables/Notes/export"):
        assert (await service.ann("GET", path, params={"limit__eq": 1})).status_code == 200
    await refused(
        await service.ann("GET", "/api/tables/Notes/export?limit=1"), "limit", "unknown_column"
    )


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", NOTES, '{"note": "a", "note": "b"}'),
        ("POST", NOTES, '[{"age": 1, "note": "a", "age": 2}]'),
        ("POST", NOTES, '{"js": {"a": {"b": 1, "b": 2}}}'),
        ("PATCH", f"{NOTES}/1", '{"age": 1, "age": 2}'),
        ("POST", "/api/tables/Notes/query", '{"age": 1, "age": 2}'),
        ("POST", "/api/tables", '{"name": "Twice1", "name": "Twice2", "columns": []}'),
        ("POST", "/api/create-table", '{"table_name": "T", "fields": {"a": "INT", "a": "TEXT"}}'),
    ],
)
async def test_a_member_that_is_there_twice_is_refused(
    service: Service, method: str, path: str, body: str
) -> None:
    answer = await service.ann(method, path, content=body)
    assert answer.status_code == 422, answer.text
    assert "twice" in json.dumps(answer.json()["errors"])


@pytest.mark.parametrize(
    ("old", "value", "new"),
    [
        ("TEXT", "now", "TIME"),
        ("TEXT", "2024-01-02 10:00:00", "TIME"),
        ("TEXT", "24:00", "TIME"),
        ("TEXT", "2024-01-02T10:00:00", "DATE"),
        ("TEXT", "2024-01-02T10:00:00+02:00", "TIMESTAMP"),
        ("TEXT", "2024-12-31T23:59:60Z", "TIMESTAMPTZ"),
        ("TEXT", "2024-01-02 10:00:00.1234567", "TIMESTAMP"),
        ("TEXT", "0x1F", "NUMERIC"),
        ("TEXT", "1_000", "NUMERIC"),
        ("TEXT", "infinity", "NUMERIC"),
        ("TEXT", "0x1F", "DOUBLE PRECISION"),
        ("TEXT", "12345678901234567890", "DOUBLE PRECISION"),
        ("TEXT", "16777217", "REAL"),
        ("TEXT", "1.50", "INTERVAL"),
        ("TEXT", "P1.5M", "INTERVAL"),
        ("TEXT", "of", "BOOLEAN"),
        ("TEXT", '{"a": 1, "b": {"a": 1, "a": 2}}', "JSON"),
        ("TEXT", "abc", "BYTEA"),
        ("DOUBLE PRECISION", "Infinity", "TIMESTAMP"),
        ("DOUBLE PRECISION", "NaN", "NUMERIC"),
        ("TIMESTAMPTZ", "infinity", "DATE"),
        ("TIMESTAMPTZ", "infinity", "DOUBLE PRECISION"),
    ],
)
async def test_a_type_changes_no_value(service: Service, old: str, value: str, new: str) -> None:
    table = new_name()
    await service.ann.table(table, f"v {old}")
    await service.ann.insert(table, {"v": value})
    path = f"/api/tables/{table}"
    answer = await service.ann("PATCH", path, {"alter": [{"name": "v", "type": new}]})
    assert (answer.status_code, answer.json()["code"]) == (409, "rows_in_the_way"), answer.text


@pytest.mark.parametrize(
    ("value", "new", "kept"),
    [
        ("-1.50e3", "NUMERIC", "-1500"),
        (" 7 ", "INTEGER", "7"),
        ("0.1", "REAL", "0.1"),
        ("nan", "DOUBLE PRECISION", '"NaN"'),
        ("Yes", "BOOLEAN", "true"),
        ("2024-01-02T00:00:00Z", "DATE", '"2024-01-02"'),
        ("10:00", "TIME", '"10:00:00"'),
        ("2024-01-02", "TIMESTAMP", '"2024-01-02T00:00:00"'),
        ("2024-01-02 10:00+0230", "TIMESTAMPTZ", '"2024-01-02T07:30:00+00:00"'),
        ("1 day 02:03:04", "INTERVAL", '"P1DT2H3M4S"'),
        ("P1Y2MT3.5S", "INTERVAL", '"P1Y2MT3.5S"'),
        ("{3FA85F6457174562B3FC2C963F66AFA6}", "UUID", '"3fa85f64-5717-4562-b3fc-2c963f66afa6"'),
        ('{"a": "x:\\"y\\": ", "b": {"a": 2}}', "JSON", '{"a": "x:\\"y\\": ", "b": {"a": 2}}'),
        ("\\x00ff", "BYTEA", '"\\\\x00ff"'),
    ],
)
async def test_a_text_of_the_type_table_follows(
    service: Service, value: str, new: str, kept: str
) -> None:
    table = new_name()
    await service.ann.table(table, "v TEXT")
    await service.ann.insert(table, {"v": value})
    path = f"/api/tables/{table}"
    answer = await service.ann("PATCH", path, {"alter": [{"name": "v", "type": new}]})
    assert answer.status_code == 200, answer.text
    record = (await service.ann("GET", f"{path}/records/1")).text
    assert f'"v":{kept}' in record


@pytest.mark.parametrize("form", ["parquet", "arrow"])
async def test_an_infinity_that_a_format_has_not_is_refused(service: Service, form: str) -> None:
    table = new_name()
    await service.ann.table(table, "at TIMESTAMPTZ", "n INTEGER")
    await service.ann.insert(table, {"at": "2026-01-31T00:00:00Z", "n": 1}, {"at": "-infinity"})
    path = f"/api/tables/{table}/export?format={form}"
    answer = await service.ann("GET", path)
    await refused(answer, "format", "out_of_range")
    assert "at holds" in answer.json()["detail"]
    for more in ("&fields=n", "&n=1"):
        assert (await service.ann("GET", path + more)).status_code == 200
    csv = await service.ann("GET", f"/api/tables/{table}/export?format=csv")
    assert "-infinity" in csv.text


@pytest.mark.parametrize("encoding", ["gzip", "br", "gzip, identity"])
async def test_a_body_that_is_encoded_is_refused_as_such(service: Service, encoding: str) -> None:
    headers = {"Content-Encoding": encoding}
    answer = await service.ann("POST", NOTES, {"note": "encoded"}, headers=headers)
    assert answer.status_code == 415, answer.text
    assert "Content-Encoding" in answer.json()["detail"]
    assert await notes_of(service.ann, note="encoded") == []
