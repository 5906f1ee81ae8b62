"""A table made for an import stays with its rows, or goes again."""

from tests.ingest.driving import Ingest
from tests.support.workbooks import table_xml, xlsx, zipped

CSV = b"name,zip\nAnn,00501\nBob,10115\n"
EXISTS = "SELECT to_regclass('data.fresh') IS NOT NULL"
GONE = "SELECT to_regclass('data.fresh') IS NULL"


async def test_the_table_is_made_and_filled(working: Ingest) -> None:
    import_ = await working.submit(CSV, table="fresh", create_table="true")
    done = await working.finished(import_)
    assert (done["state"], done["rows"]["loaded"]) == ("succeeded", 2), done["error"]
    assert [column["column"] for column in done["inferred"]] == ["name", "zip"]
    assert done["inferred"][1]["type"] == "TEXT"
    assert "00501" in done["inferred"][1]["because"]
    assert await working.count("fresh") == 2
    await working.until("SELECT count(*) = 0 FROM ingest.outbox")
    assert await working.owner.fetchval(EXISTS)


async def test_it_goes_when_the_import_fails(working: Ingest) -> None:
    content = CSV + b"Cid,1,too,many\n"
    import_ = await working.submit(content, table="fresh", create_table="true", on_error="abort")
    done = await working.finished(import_)
    assert done["state"] == "failed"
    await working.until(GONE)
    await working.until("SELECT count(*) = 0 FROM ingest.outbox")
    again = await working.submit(CSV, table="fresh", create_table="true")
    assert (await working.finished(again))["state"] == "succeeded"


async def test_it_does_not_stay_after_a_dry_run(working: Ingest) -> None:
    import_ = await working.submit(CSV, table="fresh", create_table="true", dry_run="true")
    done = await working.finished(import_)
    assert (done["state"], done["rows"]["loaded"]) == ("succeeded", 2), done["error"]
    assert len(done["inferred"]) == 2
    await working.until(GONE)
    await working.until("SELECT count(*) = 0 FROM ingest.outbox")


async def test_a_failed_one_can_be_tried_again_after_its_table_went(working: Ingest) -> None:
    content = CSV + b"Cid,1,too,many\n"
    import_ = await working.submit(content, table="fresh", create_table="true", on_error="abort")
    await working.finished(import_)
    await working.until(GONE)
    answer = await working.post(f"/api/imports/{import_['id']}/retry")
    assert answer.status_code == 202
    assert (await working.finished(import_))["state"] == "failed"
    await working.until(GONE)


async def test_a_workbook_in_an_archive_is_loaded_and_told(working: Ingest) -> None:
    book = xlsx({"Notes": table_xml([["x"]]), "People": table_xml([["name", "n"], ["Ann", 7]])})
    archive = zipped({"people.xlsx": book})
    import_ = await working.submit(
        archive, name="people.zip", table="fresh", create_table="true", sheet="People"
    )
    done = await working.finished(import_)
    assert (done["state"], done["rows"]["loaded"]) == ("succeeded", 1), done["error"]
    assert (done["format"]["name"], done["format"]["compression"]) == ("xlsx", "zip")
    assert (done["format"]["member"], done["format"]["sheet"]) == ("people.xlsx", "People")
    assert [column["type"] for column in done["inferred"]] == ["TEXT", "INTEGER"]


async def test_a_workbook_of_several_sheets_fails_with_their_names(working: Ingest) -> None:
    book = xlsx({"One": table_xml([["x"]]), "Two": table_xml([["y"]])})
    done = await working.finished(await working.submit(book, table="fresh", create_table="true"))
    assert (done["state"], done["error"]["code"]) == ("failed", "sheet_needed")
    assert "'One', 'Two'" in done["error"]["detail"]
