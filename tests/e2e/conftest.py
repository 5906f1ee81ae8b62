from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver

from tests.support.app import App
from tests.support.browser import chromium
from tests.support.stack import RunningStack


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[WebDriver]:
    with chromium(tmp_path / "profile") as driver:
        yield driver


@pytest.fixture
def app(browser: WebDriver, stack: RunningStack) -> App:
    return App(browser, stack.url)
