"""A headless Chromium, and a page in a person's words.

Skipped where Chromium and its driver are missing (Debian: `apt-get install chromium
chromium-driver`); CI installs them.
"""

import importlib.util
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
WAIT_S = 30

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None,
    reason="chromium or chromedriver is not installed: apt-get install chromium chromium-driver",
)


@contextmanager
def chromium(profile: Path) -> Iterator[WebDriver]:
    """A browser with an empty profile; its console and its requests can be read."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for argument in (
        "--headless=new",
        "--no-sandbox",  # CI runs as root in a container
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--no-proxy-server",
        "--window-size=1280,1600",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.set_page_load_timeout(WAIT_S)
    try:
        yield driver
    finally:
        driver.quit()


class Browsing:
    """What is on the page, waited for."""

    def __init__(self, browser: WebDriver, url: str) -> None:
        self.browser = browser
        self.url = url

    def wait_until(self, condition: Any) -> Any:
        """The first true answer of a function of no arguments.

        The page may replace an element while it is read: then it is read again.
        """
        wait: WebDriverWait[WebDriver] = WebDriverWait(
            self.browser, WAIT_S, ignored_exceptions=[StaleElementReferenceException]
        )
        return wait.until(lambda _: condition())

    def wait_for(self, selector: str, *, within: Any = None) -> WebElement:
        where = within or self.browser
        element: WebElement = self.wait_until(
            lambda: next(iter(where.find_elements(By.CSS_SELECTOR, selector)), None)
        )
        return element

    def texts(self, selector: str) -> list[str]:
        """The texts of the elements as the page stands at this moment."""
        texts: list[str] = self.browser.execute_script(
            "return [...document.querySelectorAll(arguments[0])].map(each => each.innerText)",
            selector,
        )
        return texts

    def text_of(self, selector: str) -> str:
        """The text of the first such element, once there is one with a text."""
        text: str = self.wait_until(lambda: next(iter(self.texts(selector)), ""))
        return text

    def wait_for_text(self, where: str | WebElement, text: str) -> None:
        """Until an element, or one that the selector chooses, has this text."""
        if isinstance(where, str):
            self.wait_until(lambda: any(text in each for each in self.texts(where)))
        else:
            self.wait_until(lambda: text in where.text)

    def click(self, selector: str, *, within: Any = None) -> None:
        element = self.wait_for(selector, within=within)
        # The page scrolls while it unfolds; a click by script hits what is meant.
        self.browser.execute_script("arguments[0].click()", element)

    def addresses(self) -> set[str]:
        """Everything that the page asked the network for."""
        asked = set()
        for line in self.browser.get_log("performance"):  # type: ignore[no-untyped-call]
            message = json.loads(line["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                asked.add(message["params"]["request"]["url"])
        return asked

    def outside_addresses(self) -> list[str]:
        """What did not come from the gateway (or from the page itself)."""
        own = (f"{self.url}/", "data:", "blob:", "chrome:")
        return [address for address in self.addresses() if not address.startswith(own)]

    def complaints(self) -> list[str]:
        """What the console says: scripts that failed, what the page's policy forbade."""
        lines = self.browser.get_log("browser")  # type: ignore[no-untyped-call]
        return [line["message"] for line in lines if line["level"] in ("SEVERE", "WARNING")]

    def resize(self, width: int, height: int) -> None:
        """The size of the page itself, below what a window can have."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def prefer(self, scheme: str) -> None:
        """`light` or `dark`, as the system would say."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    def accessibility_faults(self) -> list[str]:
        """What breaks a rule of axe-core, with the elements that do."""
        if not self.browser.execute_script("return 'axe' in window"):
            self.browser.execute_script(axe_script())
        result = self.browser.execute_async_script(
            "const done = arguments[0]; axe.run().then(done, (error) => done(String(error)))"
        )
        assert isinstance(result, dict), result
        return [
            f"{fault['id']}: {fault['help']}: " + "; ".join(node["html"] for node in fault["nodes"])
            for fault in result["violations"]
        ]


def axe_script() -> str:
    """axe-core's script, out of a package whose modules want a playwright that is not there."""
    package = importlib.util.find_spec("axe_playwright_python")
    assert package is not None
    assert package.origin is not None
    return (Path(package.origin).parent / "axe.min.js").read_text(encoding="utf-8")
