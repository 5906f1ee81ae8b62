"""Swagger UI in headless Chromium: what a person does with a mouse."""

import json
import re
import uuid
from pathlib import Path
from typing import Any

import httpx2
import pytest
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.support.browser import Browsing, needs_chromium
from tests.support.stack import RunningStack
from tests.support.waiting import until_now

pytestmark = needs_chromium


def read(shown: str) -> Any:
    """A body as the page shows it: JSON, or a text."""
    try:
        return json.loads(shown)
    except ValueError:
        return shown


class SwaggerUI(Browsing):
    """The page, in a person's words."""

    def open(self, path: str) -> None:
        self.browser.get(self.url + path)
        self.wait_for(".opblock")

    def authorize(self, username: str, password: str) -> None:
        self.click(".btn.authorize")
        dialog = self.wait_for(".dialog-ux .auth-container")
        self.wait_for("input#oauth_username", within=dialog).send_keys(username)
        self.wait_for("input#oauth_password", within=dialog).send_keys(password)
        self.click("button.authorize", within=dialog)
        signed_in = self.wait_for(".dialog-ux .auth-btn-wrapper button.btn-done")
        self.wait_for_text(dialog, "Logout")
        self.browser.execute_script("arguments[0].click()", signed_in)

    def operation(self, name: str) -> WebElement:
        """Unfold an operation by its id and press *Try it out*."""
        block = self.wait_for(f".opblock[id$='-{name}']")
        self.click(".opblock-summary-control", within=block)
        self.click(".try-out__btn", within=block)
        return block

    def operation_named(self, method: str, path_end: str) -> WebElement:
        """Unfold the first operation of this method whose path ends so."""
        block = self.wait_for(f".opblock-{method.lower()}:has([data-path$='/{path_end}'])")
        self.click(".opblock-summary-control", within=block)
        return block

    def fill(self, block: WebElement, parameter: str, value: str) -> None:
        """Type into a parameter or a form's field (or choose a file, by its path)."""
        rows = f"tr[data-param-name='{parameter}'], tr[data-property-name='{parameter}']"
        row = self.wait_for(rows, within=block)
        field = self.wait_for("input, textarea", within=row)
        if field.get_attribute("type") == "file":
            field.send_keys(value)
            return
        field.clear()
        field.send_keys(value, Keys.TAB)  # the page takes a text when its field is left

    def set_body(self, block: WebElement, content: Any) -> None:
        area = self.wait_for("textarea.body-param__text", within=block)
        # React listens to the native setter's event, as when somebody pastes.
        self.browser.execute_script(
            "Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, 'value')"
            ".set.call(arguments[0], arguments[1]);"
            "arguments[0].dispatchEvent(new Event('input', {bubbles: true}))",
            area,
            json.dumps(content),
        )

    def execute(self, block: WebElement) -> tuple[int, Any]:
        """Press *Execute*; the status and the body that the page shows."""
        self.click(".btn.execute", within=block)
        row = self.wait_for(".live-responses-table tr.response", within=block)
        status = self.wait_until(lambda: self.wait_for(".response-col_status", within=row).text)
        shown = row.find_elements(By.CSS_SELECTOR, ".highlight-code code, .highlight-code pre")
        return int(status.split()[0]), read(shown[0].text) if shown else None

    def choose_filter(self, name: str) -> None:
        """Have a table's page show a filter."""
        options = self.browser.find_elements(By.CSS_SELECTOR, "#filters option")
        (option,) = [each for each in options if each.get_attribute("value") == name]
        option.click()

    def choose_sample(self, block: WebElement, title: str) -> None:
        """Show a call that was made in another language."""
        tabs = block.find_elements(By.CSS_SELECTOR, ".request-snippets .btn")
        (tab,) = [each for each in tabs if each.text == title]
        self.browser.execute_script("arguments[0].click()", tab)

    def error_box(self) -> str:
        """What Swagger UI itself found wrong with the document, at the top of the page."""
        boxes = self.browser.find_elements(By.CSS_SELECTOR, ".errors-wrapper")
        return boxes[0].text if boxes else ""


@pytest.fixture
def page(browser: WebDriver, stack: RunningStack) -> SwaggerUI:
    return SwaggerUI(browser, stack.url)


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
