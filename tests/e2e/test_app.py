"""The page at `/app` in headless Chromium: signing in, tables and their rows."""

import re
import uuid
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from tests.support.app import App
from tests.support.browser import needs_chromium
from tests.support.profile import only_in_full
from tests.support.stack import RunningStack
from tests.support.waiting import until_now

pytestmark = needs_chromium


@pytest.fixture
def people(stack: RunningStack) -> str:
    """A table of 120 people."""
    name = f"People_{uuid.uuid4().hex[:8]}"
    columns = [
        {"name": "name", "type": "TEXT", "nullable": False},
        {"name": "age", "type": "INTEGER"},
        {"name": "paid", "type": "NUMERIC(12,2)"},
    ]
    rows = [{"name": f"Person {n:03}", "age": n, "paid": f"{n}.50"} for n in range(119)]
    rows.append({"name": "<b>Ann</b>", "age": None, "paid": "9999999999.10"})
    with stack.signed_in() as http:
        assert http.post("/api/tables", json={"name": name, "columns": columns}).is_success
        assert http.post(f"/api/tables/{name}/records", json=rows).is_success
    return name


@only_in_full
def test_a_link_leads_to_its_page_after_signing_in(
    app: App, stack: RunningStack, people: str
) -> None:
    app.open(f"/app/tables/{people}?sort=-age")
    app.wait_for("input[name=username]").send_keys("nobody")
    app.wait_for("input[name=password]").send_keys("wrong", Keys.ENTER)
    app.text_of("[role=alert]")
    # What the browser itself says of the 401.
    assert all("401" in line for line in app.complaints())
    app.is_in_order()

    app.sign_in(stack)
    app.wait_for(".grid")
    assert app.text_of("h1") == people
    assert app.browser.current_url.endswith(f"/app/tables/{people}?sort=-age")
    assert app.stored() == {"tab": ["tabularium.session"], "lasting": []}
    app.is_in_order()
    assert app.outside_addresses() == []
    assert not any("token" in address for address in app.addresses())


def test_a_mailed_code_signs_in_and_signing_out_forgets_it(app: App, stack: RunningStack) -> None:
    address = f"{uuid.uuid4().hex[:8]}@example.com"
    app.open("/app")
    app.click(".or button")
    app.wait_for("input[name=email]").send_keys(address, Keys.ENTER)
    code = app.wait_for("input[name=code]")
    mail = until_now("a code", lambda: next((m for m in stack.mails() if address in m), None))
    app.click("#stay")
    digits = re.search(r"\b(\d{6})\b", mail.partition("\n\n")[2])
    assert digits is not None
    code.send_keys(digits[1], Keys.ENTER)

    app.wait_for("header nav")
    assert app.stored() == {"tab": [], "lasting": ["tabularium.session"]}
    app.wait_for_text(".who", address)
    app.is_in_order()

    app.click(".menu summary")
    app.click(".menu .panel button")
    app.wait_for("input[name=username]")
    assert app.stored() == {"tab": [], "lasting": []}


@only_in_full
def test_an_expired_token_is_renewed_and_a_revoked_session_ends(
    app: App, stack: RunningStack, people: str
) -> None:
    app.open("/app")
    app.sign_in(stack)
    app.browser.execute_script(
        "const kept = JSON.parse(sessionStorage.getItem('tabularium.session'));"
        "kept.access = kept.access.slice(0, -8) + 'AAAAAAAA';"
        "sessionStorage.setItem('tabularium.session', JSON.stringify(kept))"
    )
    app.open(f"/app/tables/{people}")
    app.wait_for(".grid")
    app.browser.execute_script(
        "sessionStorage.setItem('tabularium.session',"
        " JSON.stringify({access: 'over', refresh: 'over'}))"
    )
    app.open(f"/app/tables/{people}")
    app.wait_for("input[name=username]")
    assert app.stored()["tab"] == []


def test_rows_are_sorted_filtered_and_paged(app: App, stack: RunningStack, people: str) -> None:
    app.open(f"/app/tables/{people}")
    app.sign_in(stack)
    app.wait_for(".grid")
    assert len(app.cells()) == 50
    app.click(".pages a")
    app.wait_until(lambda: app.cells() and app.cells()[0][0] == "Person 050")

    app.click("thead th:nth-child(3) button")
    app.wait_for("th[aria-sort=ascending]")
    app.click("thead th:nth-child(3) button")
    app.wait_for("th[aria-sort=descending]")
    app.wait_for(".grid")
    assert [row[1] for row in app.cells()[:2]] == ["null", "118"]

    app.click("button[aria-expanded]")
    app.wait_for(".filter select").send_keys("age")
    app.wait_for(".filter input").send_keys("117", Keys.ENTER)
    app.wait_for(".chip")
    app.wait_until(lambda: app.cells() == [["Person 117", "117", "117.50"]])
    app.is_in_order()

    app.open(f"/app/tables/{people}?q=%3Cb%3E")
    app.wait_for(".grid")
    assert app.cells() == [["<b>Ann</b>", "null", "9999999999.10"]]


@only_in_full
def test_a_cell_is_edited_by_keyboard_unless_somebody_was_faster(
    app: App, stack: RunningStack, people: str
) -> None:
    app.open(f"/app/tables/{people}")
    app.sign_in(stack)
    app.wait_for(".grid")
    app.browser.execute_script("document.querySelector('.grid td').focus()")
    app.browser.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    app.type_into_cell("not a number")
    app.wait_for_text("td.open [role=alert]", "whole number")
    app.browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    app.type_into_cell("77")
    app.wait_until(lambda: app.cells()[0][1] == "77")
    with stack.signed_in() as http:
        first = http.get(f"/api/tables/{people}/records/1").json()
        assert (first["name"], first["age"]) == ("Person 000", 77)
        assert http.patch(f"/api/tables/{people}/records/2", json={"age": 5}).is_success
    app.wait_until(lambda: app.browser.switch_to.active_element.tag_name == "td")
    app.type_into_cell("6")
    app.wait_for_text("td.open [role=alert]", "changed this record since")
    with stack.signed_in() as http:
        assert http.get(f"/api/tables/{people}/records/2").json()["age"] == 5


@only_in_full
def test_an_export_holds_the_rows_that_are_shown(
    app: App, stack: RunningStack, people: str, tmp_path: Path
) -> None:
    app.browser.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    app.open(f"/app/tables/{people}?f=age%20gte%20117&sort=-age")
    app.sign_in(stack)
    app.wait_for(".grid")
    app.click(".toolbar .end button")
    file = tmp_path / f"{people}.csv"
    until_now("the download", file.exists)
    assert file.read_text(encoding="utf-8-sig").split() == [
        "id,name,age,paid",
        "119,Person",
        "118,118,118.50",
        "118,Person",
        "117,117,117.50",
    ]
