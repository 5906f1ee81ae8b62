"""The reference says what the code does today."""

import re

import pytest

from reference.pages import FOLDER, PAGES


@pytest.mark.parametrize("name", sorted(PAGES))
def test_the_page_is_what_make_reference_writes(name: str) -> None:
    assert (FOLDER / name).read_text() == PAGES[name]()


def test_there_is_no_page_that_nothing_writes() -> None:
    assert {path.name for path in FOLDER.glob("*.md")} == set(PAGES)


@pytest.mark.parametrize("name", ["settings.md", "problem-codes.md", "import-options.md"])
def test_everything_has_a_meaning(name: str) -> None:
    assert re.findall(r"^\| (`\w+`).*\|\s*\|$", PAGES[name](), re.MULTILINE) == []
