"""Refused rows, corrected, enter as rows of the import that refused them."""

import asyncio
import csv
import io
import json
from typing import Any

import polars as pl
import pytest

from tests.ingest.driving import ANN, Ingest
from tests.support.profile import only_in_full
from tests.support.waiting import until
from tests.support.workbooks import table_xml, xlsx

SPOILT = b"name,age\nAnn,30\nBob,old\nCid,7\n,9\nDan,x\n"
UNIQUE = "ALTER TABLE data.people ADD UNIQUE (name)"


async def landed(ingest: Ingest, content: bytes = SPOILT, **fields: Any) -> dict[str, Any]:
    done = await ingest.finished(await ingest.submit(content, **fields))
    assert done["state"] == "succeeded", done["error"]
    return done


async def corrected_by_rows(
    ingest: Ingest, first: dict[str, Any], *rows: tuple[int, dict[str, Any]], code: int = 202
) -> dict[str, Any]:
    answer = await ingest.http.post(
        f"/api/imports/{first['id']}/corrections",
        json={"rows": [{"line": line, "values": values} for line, values in rows]},
        headers=ingest.issuer.bearer(ANN),
    )
    assert answer.status_code == code, answer.text
    body: dict[str, Any] = answer.json()
    if code != 202:
        return body
    assert (body["kind"], body["follows"]) == ("correction", first["id"])
    return await ingest.finished(body)


async def corrected_by_file(
    ingest: Ingest,
    first: dict[str, Any],
    content: bytes,
    *,
    name: str = "rejects.csv",
) -> dict[str, Any]:
    path = f"/api/imports/{first['id']}/corrections"
    answer = await ingest.upload(content, path=path, name=name)
    assert answer.status_code == 202, answer.text
    return await ingest.finished(answer.json())


async def rejects(ingest: Ingest, import_: dict[str, Any]) -> bytes:
    return (await ingest.get(import_["links"]["rejects"])).content


async def open_lines(ingest: Ingest, import_: dict[str, Any]) -> list[int]:
    """The lines that are still open: the two views of them agree."""
    page = (await ingest.get(import_["links"]["errors"])).json()
    rows = list(csv.DictReader(io.StringIO((await rejects(ingest, import_)).decode("utf-8-sig"))))
    lines = [int(row["_line"]) for row in rows]
    assert sorted({item["line"] for item in page["items"]}) == sorted(lines)
    return lines


async def people(ingest: Ingest, columns: str = "name, age, _import") -> list[tuple[Any, ...]]:
    rows = await ingest.owner.fetch(f"SELECT {columns} FROM data.people ORDER BY id")
    return [tuple(row) for row in rows]


async def test_corrected_rows_enter_as_rows_of_the_first_import(working: Ingest) -> None:
    first = await landed(working)
    assert first["rows"]["rejected"] == 3
    done = await corrected_by_rows(
        working, first, (3, {"age": 41}), (5, {"name": "Eve"}), (6, {"age": "still no age"})
    )
    assert done["state"] == "succeeded", done["error"]
    assert (done["rows"]["read"], done["rows"]["loaded"], done["rows"]["rejected"]) == (3, 2, 1)
    assert await people(working) == [
        (name, age, first["id"]) for name, age in (("Ann", 30), ("Cid", 7), ("Bob", 41), ("Eve", 9))
    ]
    now = await working.look(first)
    assert (now["rows"]["corrected"], now["rows"]["rejected"]) == (2, 1)
    assert (now["rows"]["read"], now["rows"]["loaded"]) == (5, 2)
    assert await open_lines(working, first) == [6]
    assert b"Dan,x,6,age,type_mismatch" in await rejects(working, first)
    assert b"Dan,still no age,6,age,type_mismatch" in await rejects(working, done)
    await until("the edge is entered, once", lambda: len(working.peers.edges) == 1)


async def test_the_rejects_file_corrected_is_a_correction(working: Ingest) -> None:
    first = await landed(working)
    report = await rejects(working, first)
    content = report.replace(b"Bob,old", b"Bob,51").replace(b"\n,9", b"\nDon,9")
    done = await corrected_by_file(working, first, content)
    assert (done["rows"]["loaded"], done["rows"]["rejected"], done["skipped"]) == (2, 1, 0)
    assert await open_lines(working, first) == [6]
    # The same correction again loads nothing again.
    again = await corrected_by_file(working, first, content.replace(b"Dan,x", b"Dan,4"))
    assert again["state"] == "succeeded"
    assert (again["rows"]["read"], again["rows"]["loaded"], again["skipped"]) == (3, 1, 2)
    third = await corrected_by_file(working, first, content)
    assert third["state"] == "succeeded"
    assert (third["rows"]["loaded"], third["rows"]["rejected"], third["skipped"]) == (0, 0, 3)
    assert await open_lines(working, first) == []
    assert (await working.look(first))["rows"]["corrected"] == 3
    assert await working.count() == 5


@pytest.mark.parametrize("form", ["semicolons", "xlsx", "ndjson", "parquet", "shuffled"])
async def test_any_format_and_any_order(working: Ingest, form: str) -> None:
    first = await landed(working)
    rows = list(csv.DictReader(io.StringIO((await rejects(working, first)).decode("utf-8-sig"))))
    for row, (name, age) in zip(rows, (("Bob", "51"), ("Eve", "9"), ("Dan", "3")), strict=True):
        row["name"], row["age"] = name, age
    frame = pl.DataFrame(rows).with_columns(pl.col("_line").cast(pl.Int64))
    content = io.BytesIO()
    match form:
        case "semicolons":
            frame.write_csv(content, separator=";")
        case "shuffled":
            frame.reverse().select("_line", "age", "name").write_csv(content)
        case "xlsx":
            content.write(xlsx(table_xml([frame.columns, *frame.rows()])))
        case "ndjson":
            frame.select("_line", "name", pl.col("age").cast(pl.Int64)).write_ndjson(content)
        case _:
            frame.with_columns(pl.col("age").cast(pl.Int64)).write_parquet(content)
    suffix = {"semicolons": "csv", "shuffled": "csv"}.get(form, form)
    done = await corrected_by_file(working, first, content.getvalue(), name=f"fixed.{suffix}")
    assert done["state"] == "succeeded", done["error"]
    assert sorted(await people(working, "name, age")) == [
        ("Ann", 30), ("Bob", 51), ("Cid", 7), ("Dan", 3), ("Eve", 9),
    ]  # fmt: skip
    assert await open_lines(working, first) == []


async def test_a_line_that_was_not_refused_is_named(working: Ingest) -> None:
    first = await landed(working)
    refused = await corrected_by_rows(
        working, first, (2, {"age": 1}), (3, {"age": 1}), (99, {"age": 1}), code=422
    )
    assert refused["code"] == "no_such_reject"
    assert [error["field"] for error in refused["errors"]] == ["line 2", "line 99"]
    for content in (b"name,age,_line\nBob,1,2\n", b"name,age,_line\nBob,1,\n"):
        done = await corrected_by_file(working, first, content)
        assert (done["state"], done["error"]["code"]) == ("failed", "no_such_reject")
    twice = await corrected_by_file(working, first, b"name,age,_line\nBob,1,3\nBo,1,3\n")
    assert twice["error"]["code"] == "correction_refused"
    lacking = await corrected_by_file(working, first, b"name,_line\nBob,3\n")
    assert lacking["error"]["code"] == "missing_column"
    assert "'age'" in lacking["error"]["detail"]
    strange = await corrected_by_file(working, first, b"name,age,wage,_line\nBob,1,2,3\n")
    assert strange["error"]["code"] == "unknown_column"
    unknown = await corrected_by_rows(working, first, (3, {"wage": 1}), code=422)
    assert unknown["errors"][0]["field"] == "rows[0].values.wage"
    assert await working.count() == 2
    assert await open_lines(working, first) == [3, 5, 6]


async def test_what_loaded_nothing_is_not_corrected(working: Ingest) -> None:
    failed = await working.finished(await working.submit(SPOILT, on_error="abort"))
    rehearsed = await working.finished(await working.submit(SPOILT, dry_run="true"))
    for import_ in (failed, rehearsed):
        refused = await corrected_by_rows(working, import_, (3, {"age": 1}), code=409)
        assert refused["code"] == "state_forbids"
    clean = await landed(working, b"name,age\nAnn,30\n")
    refused = await corrected_by_rows(working, clean, (2, {"age": 1}), code=422)
    assert refused["code"] == "no_such_reject"


@only_in_full
async def test_two_corrections_at_once_load_each_row_once(ingest: Ingest) -> None:
    rows = "".join(f"n{at},x\n" for at in range(200))
    async with ingest.working():
        first = await landed(ingest, b"name,age\nAnn,1\n" + rows.encode())
    report = (await rejects(ingest, first)).replace(b",x,", b",5,")
    path = f"/api/imports/{first['id']}/corrections"
    other = report.replace(b",5,", b",6,")
    one, two = await asyncio.gather(
        ingest.upload(report, path=path), ingest.upload(other, path=path)
    )
    assert one.json()["id"] != two.json()["id"]
    async with ingest.working():
        done = [await ingest.finished(each.json()) for each in (one, two)]
    assert [each["state"] for each in done] == ["succeeded", "succeeded"]
    assert sorted(each["rows"]["loaded"] for each in done) == [0, 200]
    assert sorted(each["skipped"] for each in done) == [0, 200]
    assert await ingest.count() == 201
    assert (await ingest.look(first))["rows"]["corrected"] == 200


async def test_a_correction_is_corrected(working: Ingest) -> None:
    first = await landed(working)
    second = await corrected_by_rows(working, first, (3, {"age": 1}), (6, {"age": "four"}))
    assert await open_lines(working, second) == [6]
    strange = await corrected_by_rows(working, second, (5, {"name": "Eve"}), code=422)
    assert strange["code"] == "no_such_reject"
    third = await corrected_by_rows(working, second, (6, {"age": 4}))
    assert third["state"] == "succeeded"
    assert ("Dan", 4, first["id"]) in await people(working)
    assert await open_lines(working, first) == [5]
    assert await open_lines(working, second) == []
    assert (await working.look(first))["rows"]["corrected"] == 2
    now = (await working.look(second))["rows"]
    assert (now["corrected"], now["rejected"]) == (1, 0)


@only_in_full
async def test_duplicates_of_a_correction_keep_their_lines(working: Ingest) -> None:
    await working.owner.execute(UNIQUE)
    first = await landed(working, b"name,age\nAnn,1\nAnn,2\nAnn,3\nBob,x\n")
    assert await open_lines(working, first) == [3, 4, 5]
    done = await corrected_by_rows(
        working, first, (3, {"name": "Ann"}), (4, {"name": "Cid"}), (5, {"name": "Cid", "age": 1})
    )
    assert (done["rows"]["loaded"], done["rows"]["rejected"]) == (1, 2)
    page = (await working.get(done["links"]["errors"])).json()["items"]
    assert [(item["line"], item["code"]) for item in page] == [
        (3, "duplicate_in_table"),
        (5, "duplicate_in_file"),
    ]
    assert "on line 4 already" in page[1]["message"]
    assert await people(working, "name, age") == [("Ann", 1), ("Cid", 3)]


@only_in_full
async def test_corrections_of_an_upsert_and_of_a_replace(working: Ingest) -> None:
    await working.owner.execute(UNIQUE)
    await working.owner.execute("INSERT INTO data.people (name, age) VALUES ('Bob', 1), ('Eve', 1)")
    first = await landed(working, mode="upsert", key="name")
    done = await corrected_by_rows(working, first, (3, {"age": 41}), (5, {"name": "Eve"}))
    assert (done["mode"], done["rows"]["updated"], done["rows"]["inserted"]) == ("upsert", 2, 0)
    assert ("Bob", 41, first["id"]) in await people(working)
    replaced = await landed(working, mode="replace")
    done = await corrected_by_rows(working, replaced, (6, {"age": 1}))
    assert (done["mode"], done["rows"]["inserted"]) == ("append", 1)
    assert await people(working, "name") == [("Ann",), ("Cid",), ("Dan",)]


async def test_what_a_json_row_leaves_out_stays_in_the_record(working: Ingest) -> None:
    await working.owner.execute(UNIQUE + ", ADD note text")
    await working.owner.execute(
        "INSERT INTO data.people (name, age, note) VALUES ('Ann', 1, 'kept'), ('Bob', 2, 'kept')"
    )
    content = json.dumps(
        [{"name": "Ann", "age": "x"}, {"name": "Bob", "age": "x"}, {"name": "Cid", "note": "new"}]
    ).encode()
    first = await landed(working, content, name="people.json", mode="upsert", key="name")
    done = await corrected_by_rows(
        working, first, (1, {"age": 5}), (2, {"age": None, "note": None})
    )
    assert done["state"] == "succeeded", done["error"]
    assert await people(working, "name, age, note") == [
        ("Ann", 5, "kept"),
        ("Bob", None, None),
        ("Cid", None, "new"),
    ]


async def test_cells_are_read_as_the_first_files_were(working: Ingest) -> None:
    content = (
        b"Full name;born;wage\nAnn;31.12.2024;1.234,50\nBob;01.02.2024;9,99\n;;\nCid;13.01.2024;x\n"
    )
    first = await landed(
        working, content, table="fresh", create_table="true", types='{"wage": "NUMERIC(10,2)"}',
        decimal=",", thousands=".",
    )  # fmt: skip
    assert await open_lines(working, first) == [5]
    done = await corrected_by_rows(working, first, (5, {"wage": "2.500,75"}))
    assert done["state"] == "succeeded", done["error"]
    rows = await working.owner.fetch('SELECT "Full_name", born::text, wage::text FROM data.fresh')
    assert ("Cid", "2024-01-13", "2500.75") in [tuple(row) for row in rows]


async def test_a_row_that_could_not_be_split_is_corrected(working: Ingest) -> None:
    first = await landed(working, b"name,age\nAnn,1\nBob,2,3\nCid\n")
    assert await open_lines(working, first) == [3, 4]
    # What still stands in `_raw` is left as it is, whatever the columns would take.
    same = await corrected_by_file(working, first, await rejects(working, first))
    assert (same["state"], same["rows"]["read"]) == ("succeeded", 0)
    assert await open_lines(working, first) == [3, 4]
    done = await corrected_by_rows(
        working, first, (3, {"name": "Bob", "age": 23}), (4, {"name": "Cid"})
    )
    assert done["state"] == "succeeded", done["error"]
    assert await people(working, "name, age") == [("Ann", 1), ("Bob", 23), ("Cid", None)]


@only_in_full
async def test_a_commit_of_a_rehearsal_is_corrected(working: Ingest) -> None:
    rehearsed = await working.finished(await working.submit(SPOILT, dry_run="true"))
    answer = await working.post(f"/api/imports/{rehearsed['id']}/commit")
    first = await working.finished(answer.json())
    done = await corrected_by_rows(working, first, (3, {"age": 41}))
    assert done["state"] == "succeeded", done["error"]
    assert await open_lines(working, first) == [5, 6]
    assert await open_lines(working, rehearsed) == [3, 5, 6]
    assert ("Bob", 41, first["id"]) in await people(working)


async def test_numbers_keep_their_digits(working: Ingest) -> None:
    await working.owner.execute("ALTER TABLE data.people ADD wage numeric")
    first = await landed(working, b"name,age,wage\nAnn,1,x\nBob,2,1\n")
    answer = await working.http.post(
        f"/api/imports/{first['id']}/corrections",
        content=b'{"rows":[{"line":2,"values":{"wage":0.12345678901234567890}}]}',
        headers={**working.issuer.bearer(ANN), "Content-Type": "application/json"},
    )
    assert (await working.finished(answer.json()))["state"] == "succeeded"
    wages = await working.owner.fetch("SELECT wage::text FROM data.people ORDER BY name")
    assert [row["wage"] for row in wages] == ["0.12345678901234567890", "1"]
