"""Swagger UI in headless Chromium: what a person does with a mouse."""

import re
import uuid
from pathlib import Path

import httpx2
import pytest
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By

from tests.support.browser import needs_chromium
from tests.support.profile import only_in_full
from tests.support.stack import RunningStack
from tests.support.swagger import SwaggerUI
from tests.support.waiting import until_now

pytestmark = needs_chromium


@pytest.fixture
def page(browser: WebDriver, stack: RunningStack) -> SwaggerUI:
    return SwaggerUI(browser, stack.url)


@only_in_full
def test_a_person_signs_in_makes_a_table_and_loads_a_file(
    page: SwaggerUI, stack: RunningStack, tmp_path: Path
) -> None:
    table = f"Browser_{uuid.uuid4().hex[:8]}"
    file = tmp_path / "customers.csv"
    file.write_text("name,age\nAnn,37\nBob,not a number\nÉva,29\n", encoding="utf-8")

    page.open("/docs")
    assert page.error_box() == ""
    page.authorize(stack.admin["username"], stack.admin["password"])

    block = page.operation("tables_create")
    columns = [{"name": "name", "type": "TEXT"}, {"name": "age", "type": "INTEGER"}]
    page.set_body(block, {"name": table, "columns": columns})
    status, made = page.execute(block)
    assert (status, made["name"]) == (201, table)

    block = page.operation("imports_create")
    page.fill(block, "file", str(file))
    page.fill(block, "table", table)
    status, submitted = page.execute(block)
    assert status == 202, submitted
    assert submitted["table"] == table

    with stack.signed_in() as http:
        finished(http, submitted["id"])
    block = page.operation("imports_read")
    page.fill(block, "id", str(submitted["id"]))
    status, run = page.execute(block)
    assert (status, run["state"]) == (200, "succeeded")
    assert (run["rows"]["loaded"], run["rows"]["rejected"]) == (2, 1)

    block = page.operation("records_list")
    page.fill(block, "table", table)
    status, answer = page.execute(block)
    assert status == 200
    assert [row["name"] for row in answer["items"]] == ["Ann", "Éva"]

    assert page.error_box() == ""
    assert page.outside_addresses() == []
    assert page.complaints() == []


def finished(http: httpx2.Client, import_id: int) -> None:
    """Follow the import's events until it says that it is done."""
    with http.stream("GET", f"/api/imports/{import_id}/events") as events:
        for line in events.iter_lines():
            if line.startswith("event: done"):
                return


@only_in_full
def test_a_table_has_a_page_of_its_own(page: SwaggerUI, stack: RunningStack) -> None:
    table = f"Own_{uuid.uuid4().hex[:8]}"
    columns = [{"name": "city", "type": "TEXT"}]
    with stack.signed_in() as http:
        assert http.post("/api/tables", json={"name": table, "columns": columns}).status_code == 201

    browser = page.browser
    browser.get(f"{stack.url}/docs/tables/")
    page.wait_for("#sign-in:not([hidden])")
    form = page.wait_for("form#by-password")
    page.wait_for("input[name=username]", within=form).send_keys(stack.admin["username"])
    page.wait_for("input[name=password]", within=form).send_keys("wrong")
    page.click("button", within=form)
    page.text_of("#message")
    password = page.wait_for("input[name=password]", within=form)
    password.clear()
    password.send_keys(stack.admin["password"])
    page.click("button", within=form)
    page.click(f"#tables a[href='/docs/tables/{table}']")
    page.wait_for(".opblock")
    page.wait_for_text(".information-container .title", table)
    block = page.operation_named("GET", "records")
    page.wait_for("[data-param-name='sort']", within=block)
    assert not block.find_elements(By.CSS_SELECTOR, "[data-param-name^='city']")
    page.choose_filter("city__startswith")
    page.wait_for("[data-param-name='city__startswith']", within=block)
    assert not block.find_elements(By.CSS_SELECTOR, "[data-param-name='city']")

    assert page.error_box() == ""
    assert page.outside_addresses() == []


@only_in_full
def test_a_tables_page_takes_every_way_of_signing_in(page: SwaggerUI, stack: RunningStack) -> None:
    table = f"Ways_{uuid.uuid4().hex[:8]}"
    columns = [{"name": "city", "type": "TEXT"}]
    with stack.signed_in() as http:
        assert http.post("/api/tables", json={"name": table, "columns": columns}).status_code == 201
        token = str(http.headers["Authorization"]).removeprefix("Bearer ")
    browser = page.browser

    browser.get(f"{stack.url}/docs/tables/{table}")
    form = page.wait_for("form#by-token")
    field = page.wait_for("input[name=token]", within=form)
    field.send_keys("no token")
    page.click("button", within=form)
    page.wait_for_text("#message", "token")
    field.clear()
    field.send_keys(token)
    page.click("button", within=form)
    page.wait_for(".opblock")

    # The page of all calls goes on with the token.
    page.open("/docs")
    block = page.operation("tables_get")
    page.fill(block, "table", table)
    status, shown = page.execute(block)
    assert (status, shown["name"]) == (200, table)

    browser.execute_script("sessionStorage.clear()")
    browser.get(f"{stack.url}/docs/tables")
    form = page.wait_for("form#by-mail")
    address = f"{uuid.uuid4().hex}@example.com"
    page.wait_for("input[name=email]", within=form).send_keys(address)
    page.click("button", within=form)
    page.wait_for("#by-mail label:not([hidden]) input[name=code]")
    code = until_now(f"the code for {address}", lambda: code_for(stack, address))
    page.wait_for("input[name=code]", within=form).send_keys(code)
    page.click("button", within=form)
    page.wait_for_text("#message", "no table yet")
    assert page.outside_addresses() == []


def code_for(stack: RunningStack, address: str) -> str | None:
    """The code in the mail to an address, once it is there."""
    for mail in stack.mails():
        if address in mail and (code := re.search(r"\b[0-9]{6}\b", mail.partition("\n\n")[2])):
            return code[0]
    return None
