"""A file is taken once, whole, and only if its import can begin."""

import json
from typing import Any

from services.ingest.routes.schemas import ImportForm
from tests.ingest.driving import ANN, Ingest
from tests.support.issuer import machine, person

CSV = b"name,age\nAnn,30\nBob,41\n"


async def test_a_file_is_queued_and_kept(ingest: Ingest) -> None:
    import_ = await ingest.submit(CSV, etl_name="people-nightly", email="ann@example.com")
    assert import_["state"] == "queued"
    assert import_["kind"] == "file"
    assert import_["table"] == "people"
    assert import_["mode"] == "append"
    assert import_["bytes"] == {"read": 0, "total": len(CSV)}
    assert import_["etl_name"] == "people-nightly"
    assert import_["submitted_by"] == "ann@example.com"
    assert import_["links"]["rejects"] == f"/api/imports/{import_['id']}/rejects"
    row = await ingest.row(import_)
    assert ingest.stored() == [row["upload_path"]]
    assert (ingest.storage / row["upload_path"]).read_bytes() == CSV


async def test_options_may_stand_after_the_file(ingest: Ingest) -> None:
    boundary = "frontier"
    parts = [
        ('name="file"; filename="people.csv"', CSV.decode()),
        ('name="table"', "people"),
        ('name="on_error"', "abort"),
    ]
    body = "".join(
        f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n{text}\r\n"
        for head, text in parts
    )
    answer = await ingest.http.post(
        "/api/imports",
        content=f"{body}--{boundary}--\r\n".encode(),
        headers={
            **ingest.issuer.bearer(ANN),
            "Content-Type": f"multipart/form-data; boundary={boundary}",
        },
    )
    assert answer.status_code == 202, answer.text
    row = await ingest.row(answer.json())
    assert '"on_error": "abort"' in row["options"]


async def test_the_same_open_import_is_one(ingest: Ingest) -> None:
    first = await ingest.submit(CSV)
    again = await ingest.submit(CSV, name="copy.csv")
    other_options = await ingest.submit(CSV, on_error="abort")
    other_caller = await ingest.submit(CSV, caller=person("bob@example.com"))
    assert again["id"] == first["id"]
    assert len({first["id"], other_options["id"], other_caller["id"]}) == 3
    assert len(ingest.stored()) == 3


async def test_an_idempotency_key_holds_its_body(ingest: Ingest) -> None:
    key = {"Idempotency-Key": "nightly-1"}
    first = await ingest.submit(CSV, headers=key)
    async with ingest.working():
        await ingest.finished(first)
    again = await ingest.submit(CSV, headers=key)
    assert again["id"] == first["id"]
    other = await ingest.upload(CSV + b"Cid,1\n", table="people", headers=key)
    assert other.status_code == 422
    assert other.json()["code"] == "idempotency_key_reused"
    elsewhere = await ingest.submit(CSV, headers=key, caller=person("bob@example.com"))
    assert elsewhere["id"] != first["id"]


async def test_unknown_and_bad_fields_are_named(ingest: Ingest) -> None:
    answer = await ingest.upload(
        CSV, table="people", tabel="x", mode="sideways", mapping="[1", max_errors="-1"
    )
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == {
        "tabel",
        "mode",
        "mapping",
        "max_errors",
    }
    assert ingest.stored() == []


async def test_options_that_do_not_go_together_are_named(ingest: Ingest) -> None:
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"on_duplicate": "last"}, "mode"),
        ({"on_blank": "keep"}, "mode"),
        ({"types": '{"name": "TEXT"}'}, "types"),
        ({"types": "[1"}, "types"),
        ({"header_line": "0"}, "header_line"),
        ({"delimiter": "12345"}, "delimiter"),
        ({"quote": "ab"}, "quote"),
        ({"create_table": "true", "table": "fresh", "types": '{"name": "NOTHING"}'}, "types"),
    )
    for fields, field in wrong:
        answer = await ingest.upload(CSV, **{"table": "people", **fields})
        assert answer.status_code == 422, fields
        assert [error["field"] for error in answer.json()["errors"]] == [field], fields
    assert ingest.stored() == []


async def test_upsert_wants_a_unique_key(ingest: Ingest) -> None:
    without = await ingest.upload(CSV, table="people", mode="upsert")
    assert without.status_code == 422
    not_unique = await ingest.upload(CSV, table="people", mode="upsert", key="name")
    assert not_unique.json()["errors"][0]["code"] == "not_unique"
    assert "`PATCH /api/tables/people` with" in not_unique.json()["errors"][0]["message"]
    unknown = await ingest.upload(CSV, table="people", mode="upsert", key="shoe")
    assert unknown.json()["errors"][0]["code"] == "unknown_column"


async def test_the_table_must_be_one_the_caller_may_write(ingest: Ingest) -> None:
    unknown = await ingest.upload(CSV, table="nowhere")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    reader = person("reader@example.com")
    ingest.peers.readers.add(reader.sub)
    refused = await ingest.upload(CSV, table="people", caller=reader)
    assert refused.status_code == 403
    scopeless = await ingest.upload(CSV, table="people", caller=machine("no-scopes"))
    assert (scopeless.status_code, scopeless.json()["code"]) == (403, "scope_missing")
    anonymous = await ingest.http.post("/api/imports", files={"file": ("x.csv", CSV)})
    assert anonymous.status_code == 401
    assert ingest.stored() == []


async def test_create_table_wants_a_new_name(ingest: Ingest) -> None:
    answer = await ingest.upload(CSV, table="people", create_table="true")
    assert (answer.status_code, answer.json()["code"]) == (409, "table_exists")
    assert (await ingest.submit(CSV, table="fresh", create_table="true"))["state"] == "queued"


async def test_a_file_that_cannot_be_read_is_refused_at_once(ingest: Ingest) -> None:
    cases = {
        b"": "empty_file",
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n": "wrong_file_kind",
        b"PK\x03\x04" + bytes(26) + b"xl/worksheets": "damaged_file",
        b"name,shoe\nAnn,1\n": "unknown_column",
        b"age\n1\n": "missing_column",
        b"name,name\na,b\n": "duplicate_column",
    }
    for content, code in cases.items():
        answer = await ingest.upload(content, table="people")
        assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    assert ingest.stored() == []


async def test_no_file_is_no_import(ingest: Ingest) -> None:
    headers = ingest.issuer.bearer(ANN)
    for sent in (
        {"data": {"table": "people"}},
        {"json": {"table": "people"}},
        {"files": {"file": (None, "text field")}},
    ):
        answer = await ingest.http.post("/api/imports", headers=headers, **sent)
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["field"] == "file"


async def test_the_older_call_takes_csv(ingest: Ingest) -> None:
    import_ = await ingest.submit(
        CSV, path="/api/upload-csv", table_name="people", email="ann@example.com"
    )
    assert import_["table"] == "people"
    row = await ingest.row(import_)
    assert row["email"] == "ann@example.com"
    unknown = await ingest.upload(CSV, path="/api/upload-csv", table_name="people", mode="append")
    assert unknown.json()["errors"] == [
        {
            "field": "mode",
            "code": "unknown_field",
            "message": "this field is not known; leave it out",
        }
    ]


async def test_an_empty_field_was_not_given(ingest: Ingest) -> None:
    """A browser's form sends every field, those left blank as empty text."""
    plain = await ingest.submit(CSV)
    blank = {name: "" for name in ImportForm.model_fields if name != "table"}
    as_a_form_sends_it = await ingest.submit(CSV, **blank)
    assert as_a_form_sends_it["id"] == plain["id"]  # the same options: the same open import
    by_the_older_call = await ingest.submit(
        CSV, path="/api/upload-csv", table_name="people", email=""
    )
    assert (await ingest.row(by_the_older_call))["email"] is None
    nulls = await ingest.row(await ingest.submit(CSV, null_values="NA,"))
    assert json.loads(nulls["options"])["null_values"] == ["NA", ""]


async def test_an_empty_field_may_be_unknown_or_missing(ingest: Ingest) -> None:
    answer = await ingest.upload(CSV, table="", tabel="")
    assert answer.status_code == 422
    errors = {error["field"]: error["code"] for error in answer.json()["errors"]}
    assert errors == {"table": "missing", "tabel": "unknown_field"}


async def test_a_name_is_never_a_path(ingest: Ingest) -> None:
    import_ = await ingest.submit(CSV, name="..\\..\\/etc/passwd.csv")
    row = await ingest.row(import_)
    assert row["file_name"] == "passwd.csv"
    assert ingest.stored() == [row["upload_path"]]


async def test_records_down_is_said_and_nothing_kept(ingest: Ingest) -> None:
    ingest.peers.records_down = True
    answer = await ingest.upload(CSV, table="people")
    assert (answer.status_code, answer.json()["code"]) == (503, "peer_unavailable")
    assert "Retry-After" in answer.headers
    assert ingest.stored() == []
