"""A look before a file lands: the same reading as the import's, and nothing loaded."""

import gzip
import io
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ingest.driving import ANN, Ingest
from tests.support.issuer import person
from tests.support.profile import only_in_full
from tests.support.workbooks import table_xml, xlsx, zipped

MESSY = "name;born;zip;n\nZoë;1990-01-31;00501;1\nBob;;10115;x\nAnn;1985-02-30;;3;4\n".encode()


async def look(ingest: Ingest, content: bytes, name: str = "people.csv", **fields: Any) -> Any:
    """A preview of a file."""
    answer = await ingest.upload(content, path="/api/previews", name=name, **fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_file_is_seen_as_it_would_be_read(ingest: Ingest) -> None:
    seen = await look(ingest, MESSY, rows="2")
    assert (seen["complete"], seen["rows_read"]) == (True, 3)
    assert seen["format"]["delimiter"] == ";"
    columns = {column["source"]: column for column in seen["columns"]}
    assert {name: column["type"] for name, column in columns.items()} == {
        "name": "TEXT",
        "born": "DATE",
        "zip": "TEXT",
        "n": "TEXT",
    }
    assert "00501" in columns["zip"]["because"]
    assert (columns["born"]["nulls"], columns["born"]["min"]) == (1, "1990-01-31")
    assert columns["name"]["examples"] == ["Zoë", "Bob"]
    assert seen["rows"] == [["Zoë", "1990-01-31", "00501", "1"], ["Bob", None, "10115", "x"]]
    assert seen["lines"] == [2, 3]
    assert [(each["line"], each["code"]) for each in seen["problems"]] == [(4, "too_many_fields")]
    assert seen["table"] is None
    assert seen["options"]["delimiter"] == ";"
    assert seen["options"]["format"] == "csv"


async def test_against_a_table_it_says_what_fits_and_what_is_refused(ingest: Ingest) -> None:
    seen = await look(ingest, b"name,age,shoe\nAnn,30,42\nBob,old,\n", table="people")
    assert seen["table"] == {"matched": ["name", "age"], "missing": [], "extra": ["shoe"]}
    assert [(each["line"], each["column"], each["code"]) for each in seen["problems"]] == [
        (3, "age", "type_mismatch"),
    ]
    missing = await look(ingest, b"age\n1\n", table="people")
    assert [(each["line"], each["column"], each["code"]) for each in missing["problems"]] == [
        (None, "name", "missing_column"),
    ]
    assert missing["rows"] == [["1"]]
    unknown = await ingest.upload(b"a\n1\n", path="/api/previews", table="nowhere")
    assert unknown.status_code == 404


async def test_what_was_looked_at_is_imported_in_the_same_way(working: Ingest) -> None:
    content = "name|age\n'Ann'|30\n'B|b'|41\n".encode("utf-16")
    seen = await look(working, content, quote="'")
    taken = await working.http.post(
        "/api/imports",
        headers=working.issuer.bearer(ANN),
        json={"upload": seen["upload"], "table": "people", **seen["options"]},
    )
    assert taken.status_code == 202, taken.text
    done = await working.finished(taken.json())
    assert (done["state"], done["rows"]["loaded"]) == ("succeeded", 2), done["error"]
    assert done["format"] == seen["format"]
    again = await working.http.post(
        "/api/previews",
        headers=working.issuer.bearer(ANN),
        json={"upload": seen["upload"], **seen["options"]},
    )
    assert again.json() == seen


async def test_a_word_for_null_is_one_in_its_own_column(ingest: Ingest) -> None:
    content = b"a,b\nNA,NA\n5,x\n"
    seen = await look(ingest, content)
    assert seen["format"]["null_values"] == ["NA"]
    assert "null_values" not in seen["options"]
    asked = await look(ingest, content, null_values="NA")
    assert asked["options"]["null_values"] == ["NA"]


async def test_sheets_and_members_are_named_and_the_first_is_shown(ingest: Ingest) -> None:
    book = xlsx({"One": table_xml([["x"], [1]]), "Two": table_xml([["y"], ["b"]])})
    archive = zipped({"a.xlsx": book, "b.csv": b"z\n1\n"})
    seen = await look(ingest, archive, name="all.zip")
    assert seen["members"] == ["a.xlsx", "b.csv"]
    assert seen["sheets"] == ["One", "Two"]
    assert [each["code"] for each in seen["problems"]] == ["member_needed", "sheet_needed"]
    assert (seen["options"]["member"], seen["options"]["sheet"]) == ("a.xlsx", "One")
    assert seen["rows"] == [["1"]]
    other = await look(ingest, archive, name="all.zip", member="b.csv")
    assert (other["problems"], other["rows"]) == ([], [["1"]])


async def test_typed_files_show_their_types(ingest: Ingest) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"n": pa.array([1, None], pa.int16()), "t": ["b", "a"]}), sink)
    seen = await look(ingest, sink.getvalue(), name="t.parquet")
    assert [(column["type"], column["min"]) for column in seen["columns"]] == [
        ("SMALLINT", "1"),
        ("TEXT", "a"),
    ]
    assert seen["rows"] == [["1", "b"], [None, "a"]]


async def test_of_a_large_file_the_head_is_read(ingest: Ingest) -> None:
    content = b"name,age\n" + b"Ann,30\n" * 2_000_000
    seen = await look(ingest, content)
    assert seen["complete"] is False
    assert 0 < seen["rows_read"] < 2_000_000


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
async def test_of_a_compressed_file_the_head_of_its_text_is_read(
    ingest: Ingest, compress: Callable[[bytes], bytes]
) -> None:
    content = compress(b"name,age\n" + b"Ann,30\n" * 4_000_000)
    assert len(content) < 1 << 20
    seen = await look(ingest, content)
    assert seen["complete"] is False
    assert 0 < seen["rows_read"] < 2_000_000


async def test_of_many_rows_that_cannot_be_split_few_are_read(ingest: Ingest) -> None:
    seen = await look(ingest, b"name,age\n" + b"1\n" * 1_500_000, delimiter=",")
    assert seen["complete"] is False
    assert seen["rows_read"] < 1_000_000
    assert {problem["code"] for problem in seen["problems"]} == {"too_few_fields"}


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "empty_file"), (b"%PDF-1.7\n%\xe2\xe3", "wrong_file_kind"), (b"PK\3\4", "damaged_file")],
)
async def test_what_cannot_be_read_is_refused(ingest: Ingest, content: bytes, code: str) -> None:
    answer = await ingest.upload(content, path="/api/previews")
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text


async def test_what_is_refused_is_not_kept(ingest: Ingest) -> None:
    refused: tuple[dict[str, Any], ...] = ({}, {"rows": "x"}, {"table": "nowhere"})
    for fields in refused:
        answer = await ingest.upload(b"1\n2\n", path="/api/previews", **fields)
        assert answer.status_code in (404, 422)
        assert (await ingest.get("/api/uploads")).json()["items"] == []
    upload = (await ingest.upload(b"1\n2\n", path="/api/uploads")).json()["id"]
    answer = await ingest.http.post(
        "/api/previews", headers=ingest.issuer.bearer(ANN), files={"upload": (None, upload)}
    )
    assert answer.status_code == 422
    assert [each["id"] for each in (await ingest.get("/api/uploads")).json()["items"]] == [upload]


async def test_an_upload_of_someone_else_is_not_shown(ingest: Ingest) -> None:
    seen = await look(ingest, MESSY)
    answer = await ingest.http.post(
        "/api/previews",
        headers=ingest.issuer.bearer(person("bob@example.com")),
        json={"upload": seen["upload"]},
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "upload_not_found")
    neither = await ingest.http.post(
        "/api/previews", headers=ingest.issuer.bearer(ANN), json={"rows": 5}
    )
    assert neither.status_code == 422


CELL = st.sampled_from(
    ["", "1", "007", "1.50", "2024-02-29", "31.12.2024", "true", "NO", "x y", '"q;"', "NaN", "é"]
)


@only_in_full
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=12))
async def test_a_preview_and_an_import_are_one_reading(
    working: Ingest, rows: list[tuple[str, str, str]]
) -> None:
    content = "a;b;c\n" + "".join(";".join(row) + "\n" for row in rows)
    seen = await look(working, content.encode())
    await working.owner.execute('DROP TABLE IF EXISTS data."fresh" CASCADE')
    taken = await working.http.post(
        "/api/imports",
        headers=working.issuer.bearer(ANN),
        json={"upload": seen["upload"], "table": "fresh", "create_table": True, **seen["options"]},
    )
    assert taken.status_code == 202, taken.text
    done = await working.finished(taken.json())
    assert done["rows"]["read"] == seen["rows_read"], done["error"]
    # The words may differ: what was found by itself then is an option now.
    assert [(each["column"], each["type"]) for each in done["inferred"]] == [
        (column["name"], column["type"]) for column in seen["columns"]
    ]
    errors = (await working.get(f"/api/imports/{done['id']}/errors")).json()["items"]
    assert [(each["line"], each["code"]) for each in errors] == [
        (each["line"], each["code"]) for each in seen["problems"]
    ]
