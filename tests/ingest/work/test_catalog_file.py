"""A file of ETLs and their tables fills the catalog, and says which lines it could not take."""

import pytest

from shared.contracts.auth import Scope
from tests.ingest.driving import ANN, Ingest
from tests.support.issuer import machine
from tests.support.waiting import until

TRIPLES = b"etl_name,schema_name,table_name\nnightly,sales,orders\nnightly,sales,items\n"


async def test_a_catalog_file_is_merged(working: Ingest) -> None:
    import_ = await working.submit(TRIPLES, path="/api/data/file", name="edges.csv")
    assert (import_["kind"], import_["table"]) == ("catalog_file", None)
    done = await working.finished(import_)
    assert (done["state"], done["rows"]["loaded"]) == ("succeeded", 2)
    assert [(edge.etl_name, edge.table_name) for edge in working.peers.merged] == [
        ("nightly", "orders"),
        ("nightly", "items"),
    ]
    assert working.peers.edges == []


async def test_lines_without_names_are_refused_alone(working: Ingest) -> None:
    content = TRIPLES + b',sales,x\nnightly,"",y\nnightly,sales,"  "\n' + b"n" * 501 + b",s,t\n"
    import_ = await working.submit(content, path="/api/data/file", name="edges.csv")
    done = await working.finished(import_)
    assert done["state"] == "succeeded"
    assert (done["rows"]["loaded"], done["rows"]["rejected"]) == (2, 4)
    errors = (await working.get(done["links"]["errors"])).json()["items"]
    assert [(item["line"], item["column"], item["code"]) for item in errors] == [
        (4, "etl_name", "not_null"),
        (5, "schema_name", "not_null"),
        (6, "table_name", "not_null"),
        (7, "etl_name", "too_long"),
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "edges.csv",
            b"note,etl_name,id,schema_name,table_name\na,nightly,1,sales,orders\nb,nightly,2,,x\n",
        ),
        (
            "edges.json",
            b"""[{"note":"a","etl_name":"nightly","id":1,"schema_name":"sales","table_name":"orders"},
            {"etl_name":"nightly","table_name":"x","note":null}]""",
        ),
    ],
)
async def test_other_columns_are_left_out_and_named(
    working: Ingest, name: str, content: bytes
) -> None:
    import_ = await working.submit(content, path="/api/data/file", name=name)
    done = await working.finished(import_)
    assert (done["state"], done["rows"]["loaded"], done["rows"]["rejected"]) == ("succeeded", 1, 1)
    assert [(edge.etl_name, edge.table_name) for edge in working.peers.merged] == [
        ("nightly", "orders")
    ]
    assert [(note["column"], note["type"]) for note in done["inferred"]] == [
        ("note", "ignored"),
        ("id", "ignored"),
    ]
    [error] = (await working.get(done["links"]["errors"])).json()["items"]
    assert (error["column"], error["code"]) == ("schema_name", "not_null")


async def test_a_header_that_is_no_catalog_file_is_refused_at_once(ingest: Ingest) -> None:
    answer = await ingest.upload(b"etl_name,table_name\na,b\n", path="/api/data/file")
    assert (answer.status_code, answer.json()["code"]) == (422, "missing_column")
    answer = await ingest.upload(
        TRIPLES, path="/api/data/file", caller=machine("importer", Scope.IMPORTS_WRITE)
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
    await ingest.comes_to_store([])


async def test_a_catalog_that_is_away_is_waited_for(ingest: Ingest) -> None:
    ingest.peers.catalog_down = True
    import_ = await ingest.submit(TRIPLES, path="/api/data/file", name="edges.csv")
    async with ingest.working(retry_base_s=0.05):
        await until("seven tries", lambda: ingest.peers.merge_calls >= 7)
        ingest.peers.catalog_down = False
        done = await ingest.finished(import_)
    assert done["state"] == "succeeded"
    assert done["attempt"] == 1
    assert len(ingest.peers.merged) == 2
    assert ANN.email == done["submitted_by"]
