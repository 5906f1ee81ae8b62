"""The whole way through real processes: a file in, a queryable table and a filled catalog out."""

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from tests.support.imports import errors, events, finished, submit
from tests.support.stack import RunningStack
from tests.support.waiting import until_now

FIELDS = {"name": "TEXT", "email": "TEXT UNIQUE", "created_at": "DATE"}
PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def http(stack: RunningStack) -> Iterator[httpx2.Client]:
    with stack.signed_in() as client:
        yield client


def make_table(http: httpx2.Client, name: str) -> None:
    answer = http.post("/api/create-table/", json={"table_name": name, "fields": FIELDS})
    assert answer.status_code == 201, answer.text


def eventually(ask: Callable[[], Any]) -> Any:
    """What `ask` gives as soon as it is truthy; the catalog's edge and the mail follow a commit."""
    return until_now("what follows a commit", ask, timeout_s=PATIENCE_S)


def test_a_file_becomes_rows_an_edge_and_a_mail(http: httpx2.Client, stack: RunningStack) -> None:
    make_table(http, "Customer")
    content = (
        "name,email,created_at\n"
        "Ann,ann@example.com,2024-01-31\n"
        '"Bob, ""the"" builder",bob@example.com,2024-02-29\n'
        "Eve,eve@example.com,2024-02-30\n"
        "Ann again,ann@example.com,2024-03-01\n"
        '"two\nlines",two@example.com,\n'
        "Zoë,zoe@example.com,2024-03-02,extra\n"
    ).encode()
    accepted = submit(http, "Customer", content, name="whole-way.csv", email="reader@example.com")
    assert accepted["state"] in ("queued", "running", "succeeded")
    done = finished(http, accepted)
    assert done["state"] == "succeeded"
    assert done["rows"] == {
        "read": 6,
        "loaded": 3,
        "rejected": 3,
        "inserted": 3,
        "updated": 0,
        "corrected": 0,
    }
    assert done["error"] is None
    assert done["etl_name"] == "whole-way.csv"
    told = {(one["line"], one["column"], one["code"]) for one in errors(http, done)}
    assert told == {
        (4, "created_at", "out_of_range"),
        (5, "email", "duplicate_in_file"),
        (8, None, "too_many_fields"),
    }

    page = http.get(
        "/api/get-records/",
        params={"table_name": "Customer", "order_by": "name", "order_direction": "DESC"},
    ).json()
    assert [one["name"] for one in page["items"]] == ["two\nlines", 'Bob, "the" builder', "Ann"]
    assert page["total"] == 3

    edges = eventually(
        lambda: (
            (answer := http.get("/api/etl/whole-way.csv/tables/")).status_code == 200
            and answer.json()
        )
    )
    assert edges == {"name": "whole-way.csv", "tables": [{"name": "Customer", "schema": "data"}]}

    link = f"/api/imports/{done['id']}/rejects"
    mail = eventually(lambda: next((one for one in stack.mails() if link in one), None))
    assert "reader@example.com" in mail


def test_the_rejects_can_be_corrected_and_sent_again(http: httpx2.Client) -> None:
    make_table(http, "Corrected")
    first = finished(
        http,
        submit(http, "Corrected", b"name,email,created_at\nA,a@x.org,2024-13-01\nB,b@x.org,\n"),
    )
    rejects = http.get(first["links"]["rejects"])
    assert rejects.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(rejects.content.decode("utf-8-sig"))))
    assert [(row["name"], row["_line"], row["_column"], row["_code"]) for row in rows] == [
        ("A", "2", "created_at", "out_of_range")
    ]
    corrected = rejects.text.replace("2024-13-01", "2024-12-01", 1)
    again = finished(http, submit(http, "Corrected", corrected.encode()))
    assert again["rows"]["loaded"] == 1
    total = http.get("/api/get-records/", params={"table_name": "Corrected"}).json()["total"]
    assert total == 2


def test_a_row_that_is_there_already_is_named(http: httpx2.Client) -> None:
    make_table(http, "Known")
    data = {"name": "Ann", "email": "ann@x.org"}
    made = http.post("/api/insert-record/", json={"table_name": "Known", "data": data})
    assert made.status_code == 201
    done = finished(http, submit(http, "Known", b"name,email\nOther,ann@x.org\nBob,bob@x.org\n"))
    assert (done["rows"]["loaded"], done["rows"]["rejected"]) == (1, 1)
    (reject,) = errors(http, done)
    assert (reject["line"], reject["code"]) == (2, "duplicate_in_table")
    assert str(made.json()["id"]) in reject["message"]


def test_on_error_abort_loads_nothing(http: httpx2.Client) -> None:
    make_table(http, "Strict")
    content = b"name,email,created_at\nA,a@x.org,2024-01-01\nB,b@x.org,soon\n"
    done = finished(http, submit(http, "Strict", content, on_error="abort"))
    assert done["state"] == "failed"
    assert done["rows"]["loaded"] == 0
    assert done["error"]["code"]
    total = http.get("/api/get-records/", params={"table_name": "Strict"}).json()["total"]
    assert total == 0


def test_upload_csv_of_the_verb_face(http: httpx2.Client, stack: RunningStack) -> None:
    make_table(http, "Verb")
    answer = http.post(
        "/api/upload-csv/",
        data={"table_name": "Verb", "email": "verb@example.com"},
        files={"file": ("verb.csv", b"name,email\nA,a@x.org\n", "text/csv")},
    )
    assert answer.status_code == 202, answer.text
    done = finished(http, answer.json())
    assert done["rows"]["loaded"] == 1
    eventually(lambda: any("verb@example.com" in one for one in stack.mails()))


def test_progress_is_told_while_it_runs(http: httpx2.Client) -> None:
    make_table(http, "Big")
    rows = "".join(f"name {n},mail{n}@example.com,2024-01-01\n" for n in range(200_000))
    accepted = submit(http, "Big", f"name,email,created_at\n{rows}".encode())
    told = list(events(http, accepted))
    assert told[-1][0] == "done"
    assert told[-1][1]["rows"]["loaded"] == 200_000
    assert all(kind in ("progress", "done") for kind, _ in told)


BAD_FILES = {
    "empty": (b"", "rows.csv"),
    "a PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "rows.csv"),
    "an XLSX": (b"PK\x03\x04\x14\x00\x06\x00\x08\x00" + bytes(100), "rows.xlsx"),
    "an unknown column": (b"name,nonsense\nA,B\n", "rows.csv"),
    "a column twice": (b"name,name\nA,B\n", "rows.csv"),
    "an empty column name": (b"name,\nA,B\n", "rows.csv"),
    "an id column": (b"id,name\n1,A\n", "rows.csv"),
    "an unknown encoding": (b"name\nCr\xe8me\n" * 5, "rows.csv"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_refused_clearly_and_loads_nothing(http: httpx2.Client, case: str) -> None:
    if http.get("/api/tables/Refused").status_code == 404:
        make_table(http, "Refused")
    content, name = BAD_FILES[case]
    answer = http.post("/api/imports", data={"table": "Refused"}, files={"file": (name, content)})
    if answer.status_code == 202:
        done = finished(http, answer.json())
        assert done["state"] == "failed"
        problem = done["error"]
    else:
        assert answer.status_code == 422, answer.text
        problem = answer.json()
    assert problem["status"] == 422
    assert problem["code"] not in ("internal_error", "invalid_input", "")
    assert len(problem["detail"]) > 15
    total = http.get("/api/get-records/", params={"table_name": "Refused"}).json()["total"]
    assert total == 0


def test_a_table_that_does_not_exist_is_404_before_the_file_is_kept(http: httpx2.Client) -> None:
    problem = submit(http, "Nowhere", b"name\nA\n", status=404)
    assert problem["code"] == "table_not_found"


def test_strangers_see_neither_table_nor_import(http: httpx2.Client, stack: RunningStack) -> None:
    make_table(http, "Private")
    done = finished(http, submit(http, "Private", b"name\nA\n"))
    with httpx2.Client(base_url=stack.url, trust_env=False) as nobody:
        assert nobody.get("/api/tables/Private").status_code == 401
        assert nobody.get(done["links"]["self"]).status_code == 401
    for path in ("/internal/contracts", "/api/../internal/contracts", "//internal/contracts"):
        assert http.post(path, json={}).status_code == 404


def test_one_document_describes_everything(http: httpx2.Client) -> None:
    document = http.get("/openapi.json").json()
    for path in ("/api/token", "/api/create-table", "/api/upload-csv", "/api/imports"):
        assert path in document["paths"] or f"{path}/" in document["paths"]
    page = http.get("/docs")
    assert page.status_code == 200
    assert "http://" not in page.text
    assert "https://" not in page.text


def test_ready_names_every_dependency(http: httpx2.Client) -> None:
    assert http.get("/healthz").status_code == 200
    ready = http.get("/readyz")
    assert ready.status_code == 200
    assert {"auth", "catalog", "records", "ingest", "redis"} <= set(ready.json()["checks"])
