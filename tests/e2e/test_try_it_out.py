"""Swagger UI's *Try it out* over every call: what is filled in can be sent as it stands.

On a stack of its own, because it calls everything there is. What the examples name (the table
`Customer`, the ETL `nightly load`) is made of the document's own examples first; a call on
something that is not there is 404, but never one that the service cannot read (400, 415, 422).
"""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from selenium.webdriver.chrome.webdriver import WebDriver

from tests.support.browser import needs_chromium
from tests.support.profile import only_in_full
from tests.support.stack import RunningStack, running_stack
from tests.support.swagger import SwaggerUI

pytestmark = [needs_chromium, only_in_full]

MADE_FIRST = ("tables_create", "records_create", "catalog_etls_create", "catalog_edges_put")
LAST = ("keys_rotate", "auth_revoke", "records_delete", "records_delete_selected", "tables_delete")
METHODS = ("get", "put", "post", "patch", "delete")
NO_EXAMPLE = {
    "auth_token": "one's own password",
    "auth_otp_verify": "the challenge of a mail",
    "imports_events": "a stream, which Swagger UI shows when it has ended",
    "mail_stop": "the token of a mail",
    "mail_stop_page": "the token of a mail",
    "records_change_selected": "a filter that everybody has to choose",
    "records_delete_selected": "a filter that everybody has to choose",
    "sources_create": "a database to sign in to",
    "imports_database": "a database to sign in to",
    "data_database_action": "a database to sign in to",
    "uploads_append": "an upload that has begun",
    "uploads_create": "a file",
    "webhooks_create": "an address that can be reached",
}
"""Calls that cannot be filled in, and what somebody has to bring."""


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running_stack(tmp_path_factory.mktemp("try") / "stack") as running:
        yield running


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Operation ids in the order in which they are called: what is made before what is deleted."""
    found: list[tuple[int, str, dict[str, Any]]] = []
    for item in document["paths"].values():
        for method in METHODS:
            if method in item:
                name = item[method]["operationId"]
                rank = (*MADE_FIRST, name).index(name)
                rank += 10 * (method == "delete") + 20 * (name in LAST)
                found.append((rank, name, item[method]))
    for _, name, operation in sorted(found, key=lambda each: each[0]):
        yield name, operation


def wants_a_file(operation: dict[str, Any]) -> bool:
    return next(iter(operation.get("requestBody", {}).get("content", {})), "") == (
        "multipart/form-data"
    )


def test_what_is_filled_in_can_be_sent(browser: WebDriver, own_stack: RunningStack) -> None:
    document = httpx2.get(f"{own_stack.url}/openapi.json", trust_env=False).json()
    page = SwaggerUI(browser, own_stack.url)
    page.open("/docs")
    page.authorize(own_stack.admin["username"], own_stack.admin["password"])
    answers: dict[str, int] = {}
    unreadable: dict[str, Any] = {}
    for name, operation in operations(document):
        if name in NO_EXAMPLE or wants_a_file(operation):
            continue
        block = page.operation(name)
        status, body = page.execute(block)
        answers[name] = status
        if status in (400, 405, 406, 415, 422) or status >= 500:
            unreadable[name] = (status, body)
        page.click(".opblock-summary-control", within=block)
    assert unreadable == {}
    for name in MADE_FIRST:
        assert answers[name] in (200, 201, 204), (name, answers[name])
    assert answers["records_list"] == answers["records_export"] == answers["records_summary"] == 200
    assert len(answers) > 80
    assert page.error_box() == ""


def test_a_call_is_shown_in_three_languages(browser: WebDriver, own_stack: RunningStack) -> None:
    page = SwaggerUI(browser, own_stack.url)
    page.open("/docs")
    block = page.operation("token_action")
    page.execute(block)
    for title, words in (("Python", "httpx.request("), ("JavaScript", "await fetch(")):
        page.choose_sample(block, title)
        sample = page.wait_for(
            ".request-snippets .curl-command, .request-snippets pre", within=block
        )
        page.wait_for_text(sample, words)
