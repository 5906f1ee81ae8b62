"""Records through the resource face: every digit kept, every refusal with its field."""

import json
import random

from tests.records.conftest import Service


async def test_values_keep_every_digit(service: Service) -> None:
    ann = service.ann
    await ann.table(
        "Exact",
        "n NUMERIC",
        "m NUMERIC(38,10)",
        "b BIGINT",
        "d DOUBLE PRECISION",
        "t TIMESTAMPTZ",
        "j JSON",
        "x BYTEA",
        "i INTERVAL",
        "u UUID",
        "c CHAR(3)",
    )
    sent = (
        '{"n": 12345678901234567890.1234567890123456789, "m": "0.1000000000",'
        ' "b": 9223372036854775807, "d": "NaN", "t": "2026-06-01T12:00:00.123456+02:00",'
        ' "j": {"a": [1, null, "x\\ny"], "big": 12345678901234567890.10}, "x": "\\\\x00ff",'
        ' "i": "P1DT2H", "u": "3FA85F64-5717-4562-B3FC-2C963F66AFA6", "c": "ab"}'
    )
    answer = await ann("POST", "/api/tables/Exact/records", content=sent)
    assert answer.status_code == 201, answer.text
    text = answer.text
    assert '"n":12345678901234567890.1234567890123456789' in text
    assert '"m":0.1000000000' in text
    assert '"b":9223372036854775807' in text
    assert "12345678901234567890.10" in text
    record = answer.json()
    assert record["d"] == "NaN"
    assert record["t"] == "2026-06-01T10:00:00.123456+00:00"
    assert record["j"]["a"] == [1, None, "x\ny"]
    assert (record["x"], record["i"]) == ("\\x00ff", "P1DT2H")
    assert record["u"] == "3fa85f64-5717-4562-b3fc-2c963f66afa6"
    again = await ann("GET", answer.headers["Location"])
    assert again.text == text
    assert again.headers["ETag"] == answer.headers["ETag"]


async def test_what_does_not_fit_is_refused_with_its_column(service: Service) -> None:
    ann = service.ann
    await ann.table(
        "Strict",
        {"name": "name", "type": "VARCHAR(3)", "nullable": False},
        "age SMALLINT",
        "price NUMERIC(5,2)",
        "born DATE",
        "at TIMESTAMP",
        "ok BOOLEAN",
        "doc JSON",
    )
    for body, faults in {
        '{"age": 1}': {"name": "not_null"},
        '{"name": null}': {"name": "not_null"},
        '{"name": "long", "age": 99999}': {"name": "too_long", "age": "out_of_range"},
        '{"name": "a", "age": 1.5}': {"age": "type_mismatch"},
        '{"name": "a", "age": "1_0"}': {"age": "type_mismatch"},
        '{"name": "a", "price": 1234.5}': {"price": "out_of_range"},
        '{"name": "a", "price": 1.234}': {"price": "out_of_range"},
        '{"name": "a", "born": "2026-02-30"}': {"born": "out_of_range"},
        '{"name": "a", "born": "today"}': {"born": "type_mismatch"},
        '{"name": "a", "at": "2026-01-01T00:00:00Z"}': {"at": "type_mismatch"},
        '{"name": "a", "ok": "maybe"}': {"ok": "type_mismatch"},
        '{"name": "a\\u0000"}': {"name": "nul_byte"},
        '{"name": "\\ud800"}': {"name": "bad_encoding"},
        '{"name": "a", "doc": {"x": ["\\u0000"]}}': {"doc": "nul_byte"},
        '{"name": {"a": 1}}': {"name": "type_mismatch"},
        '{"name": "a", "nope": 1}': {"nope": "unknown_column"},
        '{"name": "a", "id": 7}': {"id": "id_is_given"},
        '{"name": "a", "_import": 7}': {"_import": "unknown_column"},
    }.items():
        answer = await ann("POST", "/api/tables/Strict/records", content=body)
        assert answer.status_code == 422, (body, answer.text)
        found = {error["field"]: error["code"] for error in answer.json()["errors"]}
        assert found == faults, body


async def test_bodies_that_are_no_json_objects(service: Service) -> None:
    ann = service.ann
    await ann.table("Bodies", "a TEXT")
    path = "/api/tables/Bodies/records"
    for body in ("", "{", "nonsense", "NaN", '"text"', "5", "null", "[1]", '{"a": NaN}'):
        answer = await ann("POST", path, content=body)
        assert answer.status_code == 422, (body, answer.text)
    assert (await ann("POST", path, content=b'{"a": "\xff"}')).status_code == 422
    deep = "[" * 100_000 + "]" * 100_000
    assert (await ann("POST", path, content=f'{{"a": {deep}}}')).status_code == 422
    plain = await ann("POST", path, content="a=1", headers={"Content-Type": "text/plain"})
    assert plain.status_code == 415


async def test_a_record_is_changed_replaced_and_deleted(service: Service) -> None:
    ann = service.ann
    await ann.table("Life", "a TEXT", {"name": "b", "type": "INT", "default": 7}, "c DATE")
    made = await ann("POST", "/api/tables/Life/records", {"a": "x", "b": 1, "c": "2026-01-01"})
    path = made.headers["Location"]
    changed = await ann("PATCH", path, {"b": None})
    assert changed.json() == {**made.json(), "b": None}
    replaced = await ann("PUT", path, {"id": made.json()["id"], "a": "y"})
    assert replaced.json() == {"id": made.json()["id"], "a": "y", "b": 7, "c": None}
    wrong_id = await ann("PATCH", path, {"id": 99})
    assert wrong_id.status_code == 422
    assert (await ann("PATCH", path, {})).json() == replaced.json()
    assert (await ann("DELETE", path)).status_code == 204
    for method, body in (("GET", None), ("PATCH", {"a": "z"}), ("PUT", {"a": "z"})):
        assert (await ann(method, path, body)).status_code == 404
    assert (await ann("DELETE", path)).status_code == 404
    assert (await ann("GET", "/api/tables/Life/records/99999999999999999999")).status_code == 404


async def test_if_match_lets_one_of_two_writers_through(service: Service) -> None:
    ann = service.ann
    await ann.table("Tagged", "a INT")
    made = await ann("POST", "/api/tables/Tagged/records", {"a": 1})
    path, tag = made.headers["Location"], made.headers["ETag"]
    first = await ann("PATCH", path, {"a": 2}, headers={"If-Match": tag})
    assert first.status_code == 200
    assert first.headers["ETag"] != tag
    for method, body in (("PATCH", {"a": 3}), ("PUT", {"a": 3}), ("DELETE", None)):
        late = await ann(method, path, body, headers={"If-Match": tag})
        assert (late.status_code, late.json()["code"]) == (412, "stale_etag")
    unchanged = await ann("GET", path, headers={"If-None-Match": first.headers["ETag"]})
    assert unchanged.status_code == 304
    await ann("PATCH", "/api/tables/Tagged", {"add": [{"name": "b", "type": "TEXT"}]})
    after_ddl = await ann("PATCH", path, {"a": 3}, headers={"If-Match": first.headers["ETag"]})
    assert after_ddl.status_code == 412
    other_tag = await ann("PATCH", path, {"a": 3}, headers={"If-Match": '"0-0", W/"2-2"'})
    assert other_tag.status_code == 412
    star = await ann("PATCH", path, {"a": 3}, headers={"If-Match": "*"})
    assert star.status_code == 200


async def test_a_taken_value_is_a_conflict_that_names_its_column(service: Service) -> None:
    ann = service.ann
    await ann.table("Taken", {"name": "email", "type": "TEXT", "unique": True})
    await ann.insert("Taken", {"email": "a"})
    answer = await ann("POST", "/api/tables/Taken/records", {"email": "a"})
    assert (answer.status_code, answer.json()["code"]) == (409, "unique_violation")
    assert [each["field"] for each in answer.json()["errors"]] == ["email"]
    huge = await ann("POST", "/api/tables/Taken/records", {"email": _random_text(20_000)})
    assert huge.status_code == 422, huge.text


async def test_text_columns_take_what_looks_dangerous(service: Service) -> None:
    ann = service.ann
    await ann.table("select", "order TEXT", "Größe_数 TEXT")
    value = "'; DROP TABLE x; -- %s :name $1 \\ \" \u2028"
    made = await ann("POST", "/api/tables/select/records", {"order": value, "Größe_数": value})
    assert made.json() == {"id": 1, "order": value, "Größe_数": value}
    found = await ann(
        "GET", "/api/tables/select/records", params={"order": value, "Größe_数__contains": "%s"}
    )
    assert found.json()["items"] == [made.json()]


def _random_text(length: int) -> str:
    chosen = random.Random(7)
    return "".join(chr(chosen.randrange(0x4E00, 0x9FFF)) for _ in range(length))


async def test_an_empty_object_is_a_record_of_defaults(service: Service) -> None:
    ann = service.ann
    await ann.table("Defaults", {"name": "a", "type": "JSON", "default": {"x": 1}}, "b TEXT")
    made = await ann("POST", "/api/tables/Defaults/records", {})
    assert json.loads(made.text) == {"id": 1, "a": {"x": 1}, "b": None}
    await ann.table("Bare")
    assert (await ann("POST", "/api/tables/Bare/records", {})).json() == {"id": 1}
