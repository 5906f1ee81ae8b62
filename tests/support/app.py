"""The page at `/app`, in a person's words."""

from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.support.browser import Browsing
from tests.support.stack import RunningStack

PHONE = (390, 844)


class App(Browsing):
    """The page, in a person's words."""

    def open(self, path: str) -> None:
        self.browser.get(self.url + path)

    def sign_in(self, stack: RunningStack, *, keep: bool = False) -> None:
        self.fill("input[name=username]", stack.admin["username"])
        if keep:
            self.click("#stay")
        self.fill("input[name=password]", stack.admin["password"], Keys.ENTER)
        self.wait_for("header nav")

    def fill(self, selector: str, text: str, *keys: str) -> None:
        """Type in place of what a field holds."""
        field = self.wait_for(selector)
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(text, *keys)

    def type_into_cell(self, text: str) -> None:
        """Into the cell that has the focus; Enter keeps it."""
        self.browser.switch_to.active_element.send_keys(Keys.ENTER)
        editor = self.wait_for("td.open input")
        editor.send_keys(Keys.CONTROL, "a")
        editor.send_keys(text, Keys.ENTER)

    def cells(self) -> list[list[str]]:
        """The texts of the grid."""
        rows: list[list[str]] = self.browser.execute_script(
            "return [...document.querySelectorAll('.grid tbody tr')].map("
            "row => [...row.querySelectorAll('td')].map(cell => cell.textContent))"
        )
        return rows

    def stored(self) -> dict[str, list[str]]:
        """The keys that the page has in the browser's stores."""
        keys: dict[str, list[str]] = self.browser.execute_script(
            "return {tab: Object.keys(sessionStorage), lasting: Object.keys(localStorage)}"
        )
        return keys

    def is_in_order(self) -> None:
        """Accessible in light, dark and on a phone; and the console has no complaint."""
        self.is_accessible()
        assert self.complaints() == []

    def is_accessible(self) -> None:
        """By axe-core's rules in light, dark and on a phone, where nothing is too wide."""
        for scheme in ("light", "dark"):
            self.prefer(scheme)
            assert self.accessibility_faults() == []
        self.resize(*PHONE)
        width = self.browser.execute_script("return document.documentElement.scrollWidth")
        assert width <= PHONE[0], self.browser.current_url
        assert self.accessibility_faults() == []
        self.resize(1280, 1600)
        self.prefer("light")

    def control(self, label: str) -> WebElement:
        """The control of an option, by its label."""
        control: WebElement = self.browser.execute_script(
            "const label = [...document.querySelectorAll('.bench label')]"
            ".find(each => each.textContent === arguments[0]);"
            "const control = document.getElementById(label.htmlFor);"
            "const details = control.closest('details');"
            "if (details) { details.open = true; }"
            "return control",
            label,
        )
        return control

    def set_option(self, label: str, value: str) -> None:
        """Choose or type an option; the preview that follows is waited for."""
        control = self.control(label)
        if control.tag_name == "select":
            self.choose(control, value)
        else:
            control.send_keys(value, Keys.TAB)
        self.wait_for_preview()

    def set_type(self, column: str, name: str) -> None:
        """Choose the type of a new table's column; the preview that follows is waited for."""
        select = f"select[aria-label='Type of {column}']"
        self.choose(self.wait_for(select), name)
        self.wait_for(f"{select}.set")
        self.wait_for_preview()

    def choose(self, select: WebElement, value: str) -> None:
        self.browser.execute_script(
            "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))",
            select,
            value,
        )

    def wait_for_preview(self) -> None:
        """Until the page has the answer to what it asked last."""
        self.wait_for(".seen:not([aria-busy]) .grid")

    def press(self, text: str, *, within: str = "main") -> None:
        """A button or a link by its words."""
        buttons = f"{within} button, {within} a"
        self.wait_until(
            lambda: self.browser.execute_script(
                "const button = [...document.querySelectorAll(arguments[0])]"
                ".find(each => each.textContent === arguments[1] && !each.disabled);"
                "if (button) { button.click(); } return Boolean(button)",
                buttons,
                text,
            )
        )

    def answer(self, text: str) -> str:
        """Press a button of the dialog that is open; what the dialog said."""
        said = self.wait_for("dialog[open]").text
        self.press(text, within="dialog[open]")
        return said

    def tiles(self) -> dict[str, str]:
        """The counts of an import by their names."""
        return dict(
            self.browser.execute_script(
                "return [...document.querySelectorAll('.tiles > div')]"
                ".map(each => [...each.children].map(part => part.textContent))"
            )
        )
