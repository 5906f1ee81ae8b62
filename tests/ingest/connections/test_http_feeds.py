"""Feeds whose files are fetched by HTTP: unchanged ones, refusals, retries, limits, headers."""

import gzip
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr

from services.ingest.rotate import rotate
from shared.security.sealing import Keyring
from shared.store.engine import database_engine
from tests.ingest.connections.driving import KEY, Elsewhere
from tests.ingest.driving import Ingest
from tests.ingest.feeds.driving import call, looked, made, refused, run
from tests.ingest.feeds.serving import ROWS, FileServer, file_server


@pytest.fixture
async def server(elsewhere: Elsewhere) -> AsyncIterator[FileServer]:
    await elsewhere.ingest.peers.make_table("people", {"name": "text NOT NULL", "age": "integer"})
    async with file_server() as running:
        yield running


async def feed(elsewhere: Elsewhere, server: FileServer, **settings: Any) -> dict[str, Any]:
    headers = settings.pop("headers", {})
    origin = {"kind": "http", "url": server.url, "headers": headers}
    return await made(elsewhere.ingest, **{"from": origin, **settings})


async def ran(ingest: Ingest) -> dict[str, Any]:
    return await ingest.finished(await run(ingest))


@pytest.mark.parametrize("headers", [{"ETag": '"1"'}, {"Last-Modified": "yesterday"}, {}])
async def test_a_file_that_is_unchanged_is_not_loaded_again(
    elsewhere: Elsewhere, server: FileServer, headers: dict[str, str]
) -> None:
    server.headers = headers
    await feed(elsewhere, server)
    ingest = elsewhere.ingest
    async with ingest.working():
        first = await ran(ingest)
        assert (first["state"], first["rows"]["loaded"], first["unchanged"]) == (
            "succeeded",
            2,
            False,
        )
        assert (first["kind"], first["etl_name"]) == ("file", "people")
        again = await ran(ingest)
        assert (again["state"], again["unchanged"]) == ("succeeded", True)
        server.content, server.headers = b"name,age\ncat,9\n", {"ETag": '"2"'}
        assert (await ran(ingest))["unchanged"] is False
        # The worker removes it after the end of the import, and does not if it is stopped first.
        await ingest.comes_to_store([])
    assert await ingest.count() == 3
    sent = server.asked[1]
    assert sent.get("If-None-Match") == headers.get("ETag")
    assert sent.get("If-Modified-Since") == headers.get("Last-Modified")


async def test_a_schedule_fetches_the_file(elsewhere: Elsewhere, server: FileServer) -> None:
    await feed(elsewhere, server, schedule={"every_s": 3600})
    ingest = elsewhere.ingest
    async with ingest.working():
        await ingest.until("SELECT state = 'succeeded' FROM ingest.imports")
    assert await ingest.count() == 2


async def test_a_server_that_stumbles_is_asked_again(
    elsewhere: Elsewhere, server: FileServer
) -> None:
    server.statuses = [503, 500]
    await feed(elsewhere, server)
    async with elsewhere.ingest.working():
        done = await ran(elsewhere.ingest)
    assert (done["state"], done["attempt"], len(server.asked)) == ("succeeded", 3, 3)


@pytest.mark.parametrize("status", [401, 404, 410])
async def test_a_refusal_is_told_and_not_asked_again(
    elsewhere: Elsewhere, server: FileServer, status: int
) -> None:
    server.statuses = [status]
    await feed(elsewhere, server)
    async with elsewhere.ingest.working():
        failed = await ran(elsewhere.ingest)
    assert (failed["state"], failed["error"]["code"]) == ("failed", "pull_failed")
    assert str(status) in failed["error"]["detail"]
    assert len(server.asked) == 1
    assert (await looked(elsewhere.ingest))["health"] == "failing"


async def test_a_failed_run_is_fetched_anew_when_it_is_retried(
    elsewhere: Elsewhere, server: FileServer
) -> None:
    server.statuses = [404]
    await feed(elsewhere, server)
    ingest = elsewhere.ingest
    async with ingest.working():
        failed = await ran(ingest)
        answer = await ingest.post(f"/api/imports/{failed['id']}/retry")
        assert answer.status_code == 202, answer.text
        assert (await ingest.finished(failed))["rows"]["loaded"] == 2


async def test_a_redirect_past_the_guard_is_not_followed(
    elsewhere: Elsewhere, server: FileServer
) -> None:
    await feed(elsewhere, server)
    server.statuses = [302]
    async with elsewhere.ingest.working(source_allowed_networks="127.0.0.1/32"):
        failed = await ran(elsewhere.ingest)
    assert failed["error"]["code"] == "pull_failed"
    assert "may not connect" in failed["error"]["detail"]


async def test_a_page_in_place_of_a_file_is_refused(
    elsewhere: Elsewhere, server: FileServer
) -> None:
    server.content = b"<!DOCTYPE html><html><body>Please log in</body></html>"
    await feed(elsewhere, server)
    async with elsewhere.ingest.working():
        failed = await ran(elsewhere.ingest)
    assert (failed["state"], failed["error"]["code"]) == ("failed", "wrong_file_kind")


async def test_an_endless_file_ends_at_the_limit(elsewhere: Elsewhere, server: FileServer) -> None:
    server.endless = True
    await feed(elsewhere, server)
    async with elsewhere.ingest.working(upload_limit_bytes=100_000):
        failed = await ran(elsewhere.ingest)
        await elsewhere.ingest.comes_to_store([])
    assert failed["error"]["code"] == "pull_failed"
    assert "larger than 100,000 bytes" in failed["error"]["detail"]


@pytest.mark.parametrize("coding", ["gzip", "br"])
async def test_what_a_server_encodes_is_read_or_refused(
    elsewhere: Elsewhere, server: FileServer, coding: str
) -> None:
    server.content, server.headers = gzip.compress(ROWS), {"Content-Encoding": coding}
    await feed(elsewhere, server)
    async with elsewhere.ingest.working():
        done = await ran(elsewhere.ingest)
    assert (done["rows"]["loaded"] if coding == "gzip" else done["error"]["code"]) in (
        2,
        "pull_failed",
    )
    assert server.asked[0]["Accept-Encoding"] == "identity"


async def test_headers_are_sent_sealed_and_never_shown(
    elsewhere: Elsewhere, server: FileServer
) -> None:
    secret = "Bearer geheim-geheim"
    shown = await feed(elsewhere, server, headers={"Authorization": secret})
    assert shown["from"]["headers"] == {"Authorization": "***"}
    ingest = elsewhere.ingest
    async with ingest.working():
        await ran(ingest)
        # Sent back as it is shown, it stays.
        change = {"from": {**shown["from"], "url": server.url + "?new"}}
        answer = await call(ingest, "PATCH", "/api/feeds/people", change)
        assert answer.status_code == 200, answer.text
        await ran(ingest)
        await call(ingest, "PATCH", "/api/feeds/people", {"email": "ann@example.com"})
        await ran(ingest)
    assert [asked["Authorization"] for asked in server.asked] == [secret] * 3
    rows = await ingest.owner.fetch("SELECT f::text FROM ingest.feeds f")
    assert "geheim" not in str(rows)


async def test_a_masked_header_does_not_go_to_another_server(
    elsewhere: Elsewhere, server: FileServer
) -> None:
    shown = await feed(elsewhere, server, headers={"X-Key": "geheim"})
    change = {"from": {**shown["from"], "url": "http://127.0.0.1:9/people.csv"}}
    answer = await call(elsewhere.ingest, "PATCH", "/api/feeds/people", change)
    assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [
        ("from.headers.X-Key", "value_needed")
    ]


async def test_headers_follow_the_keys(elsewhere: Elsewhere, server: FileServer) -> None:
    await feed(elsewhere, server, headers={"X-Key": "geheim"})
    ingest = elsewhere.ingest
    new = KEY.replace(KEY[:2], "AA")
    both = Keyring(f"{new},{KEY}", setting="SOURCE_KEYS")
    async with database_engine(
        ingest.settings.database_url.get_secret_value(), application_name="tests"
    ) as engine:
        assert (await rotate(engine, both)).moved == 1
    async with ingest.working(source_keys=SecretStr(new)):
        await ran(ingest)
    assert server.asked[0]["X-Key"] == "geheim"


@pytest.mark.parametrize(
    ("origin", "errors"),
    [
        ({"url": "ftp://127.0.0.1/a.csv"}, [("from.url", "invalid_url")]),
        ({"url": "http://ann:secret@127.0.0.1/a.csv"}, [("from.url", "invalid_url")]),
        ({"url": "http://10.0.0.1/a.csv"}, [("from.url", "host_not_allowed")]),
        ({"url": "http://nowhere.invalid/a.csv"}, [("from.url", "host_unknown")]),
        ({"headers": {"Host": "x"}}, [("from.headers.Host", "invalid_header")]),
        ({"headers": {"X-A": "a\r\nX-B: b"}}, [("from.headers.X-A", "invalid_header")]),
        ({"headers": {"X A": "a"}}, [("from.headers.X A", "invalid_header")]),
        ({"headers": {"X-A": "***"}}, [("from.headers.X-A", "value_needed")]),
    ],
)
async def test_what_cannot_be_called_is_refused_at_once(
    elsewhere: Elsewhere, server: FileServer, origin: dict[str, Any], errors: list[tuple[str, str]]
) -> None:
    given: dict[str, Any] = {"from": {"kind": "http", "url": server.url, **origin}}
    assert await refused(elsewhere.ingest, **given) == (422, errors)
    assert server.asked == []
