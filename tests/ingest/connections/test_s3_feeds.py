"""Feeds whose files are fetched from S3 (moto, over the wire) with the keys of a saved source."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import boto3
import pytest
from yarl import URL

from tests.ingest.connections.driving import Elsewhere
from tests.ingest.driving import Ingest
from tests.ingest.feeds.driving import call, looked, made, refused, run
from tests.support.profile import only_in_full
from tests.support.s3 import CheckedS3, checked_s3, s3_server

KEY, SECRET = "AKIATESTS", "only-for-tests"
PEOPLE = b"name,age\nann,7\nbob,8\n"


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture
async def s3(elsewhere: Elsewhere, moto: str) -> AsyncIterator[CheckedS3]:
    await elsewhere.ingest.peers.make_table("people", {"name": "text NOT NULL", "age": "integer"})
    async with checked_s3(moto, access_key=KEY, secret_key=SECRET) as door:
        yield door


async def put(s3: CheckedS3, key: str, content: bytes = PEOPLE) -> None:
    def work() -> None:
        client = boto3.client(
            "s3",
            endpoint_url=s3.behind,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
        )
        client.create_bucket(Bucket="lake")
        client.put_object(Bucket="lake", Key=key, Body=content)

    await asyncio.to_thread(work)


def given(s3: CheckedS3, **others: Any) -> dict[str, Any]:
    url = URL(s3.url)
    address = {"host": url.host, "port": url.port, "tls": False, "region": s3.region}
    return {"name": "lake", "kind": "s3", **address, "user": KEY, "password": SECRET, **others}


async def saved(elsewhere: Elsewhere, s3: CheckedS3, **others: Any) -> int:
    answer = await call(elsewhere.ingest, "POST", "/api/sources", given(s3, **others))
    assert answer.status_code == 201, answer.text
    assert "only-for-tests" not in answer.text
    source_id: int = answer.json()["id"]
    return source_id


async def feed(elsewhere: Elsewhere, s3: CheckedS3, key: str = "people.csv") -> dict[str, Any]:
    origin: dict[str, Any] = {
        "kind": "s3",
        "url": f"s3://lake/{key}",
        "source_id": await saved(elsewhere, s3),
    }
    made_feed = await made(elsewhere.ingest, **from_(origin))
    assert made_feed["from"] == origin
    return made_feed


def from_(origin: dict[str, Any]) -> dict[str, Any]:
    return {"from": origin}


async def ran(ingest: Ingest) -> dict[str, Any]:
    return await ingest.finished(await run(ingest))


@only_in_full
@pytest.mark.parametrize("key", ["people.csv", "exports/2026 07/Leute ü+%20&=.csv"])
async def test_an_object_is_loaded_until_it_is_unchanged(
    elsewhere: Elsewhere, s3: CheckedS3, key: str
) -> None:
    await put(s3, key)
    await feed(elsewhere, s3, key)
    ingest = elsewhere.ingest
    async with ingest.working():
        done = await ran(ingest)
        assert (done["state"], done["rows"]["loaded"]) == ("succeeded", 2), done["error"]
        file_name = await ingest.owner.fetchval("SELECT file_name FROM ingest.imports")
        assert file_name == key.rpartition("/")[2]
        again = await ran(ingest)
        assert (again["state"], again["unchanged"]) == ("succeeded", True)
        assert s3.asked[-1][1] == 304
        await put(s3, key, b"name,age\ncat,9\n")
        assert (await ran(ingest))["unchanged"] is False
        # Files go after the commit of their rows, and not if the worker is stopped first.
        await ingest.comes_to_store([])
    assert await ingest.count() == 3


@only_in_full
async def test_an_object_may_come_after_its_feed(elsewhere: Elsewhere, s3: CheckedS3) -> None:
    await put(s3, "other.csv")
    await feed(elsewhere, s3, "late.csv")
    ingest = elsewhere.ingest
    async with ingest.working():
        failed = await ran(ingest)
        assert (failed["state"], failed["error"]["code"]) == ("failed", "pull_failed")
        assert "no such object" in failed["error"]["detail"]
        assert failed["attempt"] == 1
        await put(s3, "late.csv")
        assert (await ran(ingest))["rows"]["loaded"] == 2
    assert (await looked(ingest))["health"] == "ok"


@pytest.mark.parametrize(
    ("others", "field", "code", "words"),
    [
        ({"user": "AKIANOBODY"}, "user", "wrong_log_in", "does not know the access key"),
        ({"password": "wrong"}, "password", "wrong_log_in", "not the one of this access key"),
        ({"region": "us-west-2"}, "region", "wrong_region", "another region"),
        ({"port": 9}, "host", "cannot_connect", "cannot be reached"),
    ],
)
async def test_wrong_keys_are_told_when_they_are_tried_and_when_a_feed_is_made(
    elsewhere: Elsewhere, s3: CheckedS3, others: dict[str, Any], field: str, code: str, words: str
) -> None:
    await put(s3, "people.csv")
    source_id = await saved(elsewhere, s3, **others)
    answer = await call(elsewhere.ingest, "POST", f"/api/sources/{source_id}/test")
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["field"], error["code"]) == (422, field, code)
    assert words in error["message"]
    origin: dict[str, Any] = {"kind": "s3", "url": "s3://lake/people.csv", "source_id": source_id}
    assert await refused(elsewhere.ingest, **from_(origin)) == (
        422,
        [("from.source_id", code)],
    )


async def test_keys_that_are_wrong_by_now_end_the_run_in_plain_words(
    elsewhere: Elsewhere, s3: CheckedS3
) -> None:
    await put(s3, "people.csv")
    await feed(elsewhere, s3)
    s3.secret_key = "another by now"
    async with elsewhere.ingest.working():
        failed = await ran(elsewhere.ingest)
    assert (failed["error"]["code"], failed["attempt"]) == ("pull_failed", 1)
    assert "the secret access key is not the one of this access key" in failed["error"]["detail"]
    assert "Signature=" not in str(failed)


async def test_keys_are_tried(elsewhere: Elsewhere, s3: CheckedS3) -> None:
    source_id = await saved(elsewhere, s3)
    answer = await call(elsewhere.ingest, "POST", f"/api/sources/{source_id}/test")
    assert (answer.status_code, answer.json()["server"]) == (200, "S3 at 127.0.0.1")


async def test_the_server_of_a_region_is_that_of_aws(elsewhere: Elsewhere) -> None:
    body = {"name": "lake", "kind": "s3", "region": "eu-west-1", "user": KEY, "password": SECRET}
    answer = await call(elsewhere.ingest, "POST", "/api/sources", body)
    shown = answer.json()
    assert (shown["host"], shown["port"], shown["tls"]) == (
        "s3.eu-west-1.amazonaws.com",
        443,
        True,
    )


@pytest.mark.parametrize(
    ("url", "errors"),
    [
        ("https://lake/people.csv", [("from.url", "invalid_url")]),
        ("s3://lake", [("from.url", "invalid_url")]),
        ("s3://la ke/people.csv", [("from.url", "invalid_url")]),
        ("s3://lake/a//b.csv", [("from.url", "invalid_url")]),
        ("s3://lake/../b.csv", [("from.url", "invalid_url")]),
        ("s3://nowhere/people.csv", [("from.url", "no_such_bucket")]),
    ],
)
async def test_what_is_no_object_is_refused_at_once(
    elsewhere: Elsewhere, s3: CheckedS3, url: str, errors: list[tuple[str, str]]
) -> None:
    origin: dict[str, Any] = {"kind": "s3", "url": url, "source_id": await saved(elsewhere, s3)}
    assert await refused(elsewhere.ingest, **from_(origin)) == (422, errors)


async def test_a_source_of_files_is_no_database_and_the_other_way_round(
    elsewhere: Elsewhere, s3: CheckedS3
) -> None:
    files = await saved(elsewhere, s3)
    ingest = elsewhere.ingest
    answer = await call(
        ingest,
        "POST",
        "/api/imports/database",
        {"source_id": files, "table": "t", "into": "people"},
    )
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "no_database")
    origin: dict[str, Any] = {"kind": "database", "source_id": files, "table": "t"}
    assert await refused(ingest, **from_(origin)) == (422, [("from.source_id", "no_database")])
    body = {"name": "shop", **elsewhere.postgresql}
    database = (await call(ingest, "POST", "/api/sources", body)).json()["id"]
    origin = {"kind": "s3", "url": "s3://lake/a.csv", "source_id": database}
    assert await refused(ingest, **from_(origin)) == (422, [("from.source_id", "no_files")])


async def test_a_source_is_kept_while_a_feed_reads_it(elsewhere: Elsewhere, s3: CheckedS3) -> None:
    await put(s3, "people.csv")
    origin = (await feed(elsewhere, s3))["from"]
    path = f"/api/sources/{origin['source_id']}"
    answer = await call(elsewhere.ingest, "DELETE", path)
    assert (answer.status_code, answer.json()["code"]) == (409, "source_in_use")
    other = given(s3, user="AKIANOBODY")
    assert (await call(elsewhere.ingest, "POST", "/api/sources", other)).status_code == 409


async def test_the_guard_is_asked_before_any_object(elsewhere: Elsewhere, s3: CheckedS3) -> None:
    source_id = await saved(elsewhere, s3, host="10.0.0.1")
    answer = await call(elsewhere.ingest, "POST", f"/api/sources/{source_id}/test")
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["field"]) == (422, "host")
    assert "may not connect" in error["message"]
