"""Swagger UI in a browser, in a person's words."""

import json
from typing import Any

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.support.browser import Browsing


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
