"""The page at `/app`: the whole way of a messy file, until its import is undone."""

import gzip
import random
import re
import uuid
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from tests.support.app import App
from tests.support.browser import needs_chromium
from tests.support.imports import finished, submit
from tests.support.profile import only_in_full
from tests.support.stack import RunningStack

pytestmark = needs_chromium

MESSY = """\
"Customer report, November"

Name;Born;City;Balance
Ann Archer;12.04.1987;Zürich;1.204,50
Bob Baker;31.02.1990;<i>Bern</i>;99,00
Éva Novák;05.11.1979;Brno;-3,25
Carl Clay;17.08.2001;Łódź;abc
"""


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    file = tmp_path / f"messy_{uuid.uuid4().hex[:8]}.csv"
    file.write_text(MESSY, encoding="utf-8")
    return file


def test_from_a_messy_file_to_an_undone_import(app: App, stack: RunningStack, messy: Path) -> None:
    app.open("/app/import")
    app.sign_in(stack)
    app.wait_for(".drop")
    app.is_in_order()
    app.wait_for("input#file").send_keys(str(messy))
    app.wait_for_preview()
    app.wait_for_text(".seen", "header on line 3")

    app.set_option("Dates", "%d.%m.%Y")
    app.set_option("Before decimals", ",")
    app.set_option("Between thousands", ".")
    app.set_type("Born", "DATE")
    app.set_type("Balance", "NUMERIC")
    app.wait_for_text(".problems", "2 problems")
    bad = app.texts("td.bad")
    assert [cell.splitlines()[0] for cell in bad] == ["31.02.1990", "abc"]
    assert app.cells()[1][2] == "<i>Bern</i>"
    app.is_in_order()

    app.press("Rehearse first")
    app.wait_for("#commit")
    assert app.tiles() == {"read": "4", "would be added": "2", "refused": "2"}
    with stack.signed_in() as http:
        assert http.get(f"/api/tables/{messy.stem}").status_code == 404
    app.press("Land it")
    assert "2 rows that were judged" in app.answer("Land it")
    app.wait_for("#undo")
    app.wait_for(".grid")
    assert app.tiles() == {"read": "4", "added": "2", "refused": "2"}
    app.wait_until(lambda: len(app.texts(".bars li")) == 2)
    app.wait_until(lambda: len(app.texts(".profile tbody tr")) == 4)
    landed = int(app.browser.current_url.rpartition("/")[2])
    app.is_in_order()

    app.browser.execute_script("document.querySelectorAll('td.bad')[0].focus()")
    app.type_into_cell("28.02.1990")
    app.press("Send 1 corrected row")
    app.wait_until(lambda: app.tiles().get("corrected since") == "1")
    app.wait_until(lambda: len(app.cells()) == 1)
    with stack.signed_in() as http:
        rows = http.get(f"/api/tables/{messy.stem}/records").json()["items"]
        assert [(row["Name"], row["Born"]) for row in rows] == [
            ("Ann Archer", "1987-04-12"),
            ("Éva Novák", "1979-11-05"),
            ("Bob Baker", "1990-02-28"),
        ]

    app.press("Undo")
    said = app.answer("Undo it")
    assert re.search(r"3 rows that it added leave \w+, 1 correction included", said)
    app.wait_until(lambda: app.tiles().get("removed") == "3")
    app.press(f"import {landed}")
    app.wait_until(lambda: app.browser.current_url.endswith(f"/{landed}"))
    app.wait_for_text("main", "Undone")
    with stack.signed_in() as http:
        assert http.get(f"/api/tables/{messy.stem}/records").json()["items"] == []
    app.press("Imports", within="header")
    app.wait_for(".list")
    app.is_in_order()
    assert app.outside_addresses() == []


@only_in_full
def test_an_encoding_that_is_asked_for_is_chosen_by_a_click(
    app: App, stack: RunningStack, tmp_path: Path
) -> None:
    file = tmp_path / "kunden.csv"
    file.write_bytes("Kunde;Straße\nMüller;Königsweg\n".encode("cp1252"))
    app.open("/app/import")
    app.sign_in(stack)
    app.wait_for("input#file").send_keys(str(file))
    app.wait_for_text(".seen .bad", "is not UTF-8")
    app.is_accessible()  # the browser's console names the refusal
    app.press("windows-1252", within=".seen")
    app.wait_for_preview()
    app.wait_until(lambda: app.cells() == [["Müller", "Königsweg"]])
    assert app.control("Encoding").get_attribute("value") == "windows-1252"


@only_in_full
def test_what_an_option_gets_wrong_stands_beside_it(
    app: App, stack: RunningStack, messy: Path
) -> None:
    app.open("/app/import")
    app.sign_in(stack)
    app.wait_for("input#file").send_keys(str(messy))
    app.wait_for_preview()
    app.control("Dates").send_keys("%d.%m", Keys.TAB)
    app.wait_for("input[aria-invalid=true]")
    app.wait_for_text(".seen .bad", "a year")
    assert not app.wait_for(".landing .primary").is_enabled()


@only_in_full
def test_columns_are_mapped_into_a_table_that_is_there(
    app: App, stack: RunningStack, messy: Path
) -> None:
    table = f"There_{uuid.uuid4().hex[:8]}"
    columns = [{"name": "who", "type": "TEXT", "nullable": False}, {"name": "City", "type": "TEXT"}]
    with stack.signed_in() as http:
        assert http.post("/api/tables", json={"name": table, "columns": columns}).is_success
    app.open(f"/app/import?table={table}")
    app.sign_in(stack)
    app.wait_for("input#file").send_keys(str(messy))
    app.wait_for_preview()
    app.choose(app.wait_for("select[aria-label='Where Name goes']"), "who")
    app.wait_for("select[aria-label='Where Name goes'].set")
    app.wait_for_preview()
    app.click(".check input")
    app.wait_for(".state.good")
    app.press("Land it")
    app.wait_until(lambda: app.tiles().get("added") == "4")
    with stack.signed_in() as http:
        rows = http.get(f"/api/tables/{table}/records").json()["items"]
        assert [row["who"] for row in rows] == ["Ann Archer", "Bob Baker", "Éva Novák", "Carl Clay"]


PIECE_BYTES = 8 * 1024**2
COUNT_PIECES = """
const send = XMLHttpRequest.prototype.send; window.pieces = 0;
XMLHttpRequest.prototype.send = function (body) {
  window.pieces += 1;
  if (window.pieces === window.breaking) { this.onerror(); this.onloadend(); return; }
  send.call(this, body);
}
"""


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file of three pieces."""
    noise = random.Random(7)
    file = tmp_path / f"large_{uuid.uuid4().hex[:8]}.csv.gz"
    lines = "".join(f"{n},{noise.randbytes(24).hex()}\n" for n in range(600_000))
    file.write_bytes(gzip.compress(f"n,text\n{lines}".encode(), compresslevel=1))
    assert 2 * PIECE_BYTES < file.stat().st_size < 3 * PIECE_BYTES
    return file


@only_in_full
def test_a_large_file_goes_up_in_pieces_and_on_after_a_break(
    app: App, stack: RunningStack, large: Path
) -> None:
    app.open("/app/import")
    app.sign_in(stack)
    app.browser.execute_script(COUNT_PIECES)
    app.browser.execute_script("window.breaking = 2")  # once, as on a train
    app.wait_for("input#file").send_keys(str(large))
    app.wait_for_preview()
    assert app.browser.execute_script("return window.pieces") == 4
    app.wait_for_text(".seen", "in gzip")


@only_in_full
def test_a_file_dropped_again_goes_on_where_its_upload_was(
    app: App, stack: RunningStack, large: Path
) -> None:
    content = large.read_bytes()
    tus = {"Tus-Resumable": "1.0.0"}
    with stack.signed_in() as http:
        length = {"Upload-Length": str(len(content))}
        begun = http.post("/api/uploads", headers={**tus, **length}).json()["id"]
        piece = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        sent = http.patch(
            f"/api/uploads/{begun}", headers={**tus, **piece}, content=content[:PIECE_BYTES]
        )
        assert sent.status_code == 204
    app.open("/app/import")
    app.sign_in(stack)
    app.browser.execute_script(COUNT_PIECES)
    modified_ms = large.stat().st_mtime_ns // 1_000_000
    app.browser.execute_script(
        "localStorage.setItem(arguments[0], arguments[1])",
        f"tabularium.upload:{large.name}:{len(content)}:{modified_ms}",
        begun,
    )
    app.wait_for("input#file").send_keys(str(large))
    app.wait_for_preview()
    assert app.browser.execute_script("return window.pieces") == 2
    assert app.stored()["lasting"] == []


@only_in_full
def test_an_undo_asks_about_records_that_were_edited_since(
    app: App, stack: RunningStack, messy: Path
) -> None:
    with stack.signed_in() as http:
        run = submit(http, messy.stem, messy.read_bytes(), name=messy.name, create_table="true")
        assert finished(http, run)["rows"]["loaded"] == 4
        record = f"/api/tables/{messy.stem}/records/2"
        assert http.patch(record, json={"City": "Basel"}).is_success
    app.open(f"/app/imports/{run['id']}")
    app.sign_in(stack)
    app.press("Undo")
    app.answer("Undo it")
    app.wait_for_text("dialog[open]", "edited since")
    app.is_accessible()
    app.answer("Undo the others, leave these")
    app.wait_until(lambda: app.tiles().get("removed") == "3")
    with stack.signed_in() as http:
        rows = http.get(f"/api/tables/{messy.stem}/records").json()["items"]
    assert [row["City"] for row in rows] == ["Basel"]
