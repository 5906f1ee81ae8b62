"""`Idempotency-Key`: the same request is answered with its first answer and done once."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator

import asyncpg
import httpx2
import pytest_asyncio

from services.records.main import create_app
from tests.records.conftest import BOB, Service, settings_for
from tests.support.issuer import Issuer
from tests.support.serving import serving
from tests.support.waiting import until

PATH = "/api/tables/Once/records"


def keyed() -> dict[str, str]:
    return {"Idempotency-Key": uuid.uuid4().hex}


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def once(service: Service) -> AsyncIterator[None]:
    await service.ann.table("Once", "a INTEGER", {"name": "u", "type": "TEXT", "unique": True})
    yield


async def count(service: Service, value: int) -> int:
    answer = await service.ann("GET", PATH, params={"a": value, "count": "exact"})
    total: int = answer.json()["total"]
    return total


async def test_the_same_body_gets_the_first_answer(service: Service) -> None:
    key = keyed()
    first = await service.ann("POST", PATH, {"a": 1}, headers=key)
    second = await service.ann("POST", PATH, {"a": 1}, headers=key)
    assert (second.status_code, second.text) == (201, first.text)
    assert second.headers["Location"] == first.headers["Location"]
    assert second.headers["ETag"] == first.headers["ETag"]
    assert await count(service, 1) == 1


async def test_another_body_or_path_is_refused(service: Service) -> None:
    key = keyed()
    await service.ann("POST", PATH, {"a": 2}, headers=key)
    for path, body in ((PATH, {"a": 3}), (f"{PATH}?on_conflict=error", {"a": 2})):
        answer = await service.ann("POST", path, body, headers=key)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert await count(service, 3) == 0


async def test_a_key_belongs_to_its_caller(service: Service) -> None:
    key = keyed()
    service.issuer.know(BOB)
    await service.ann("PUT", "/api/tables/Once/grants/bob@example.com", {"level": "editor"})
    first = await service.ann("POST", PATH, {"a": 4}, headers=key)
    second = await service.bob("POST", PATH, {"a": 4}, headers=key)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] != second.json()["id"]


async def test_many_at_once_run_once(service: Service) -> None:
    key = keyed()
    answers = await asyncio.gather(
        *(service.ann("POST", PATH, [{"a": 5}, {"a": 5}], headers=key) for _ in range(8))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert await count(service, 5) == 2


async def test_two_processes_run_it_once(service: Service, issuer: Issuer) -> None:
    key = keyed()
    app = create_app(settings_for(service.database, issuer))
    async with serving(app) as url, httpx2.AsyncClient(base_url=url, trust_env=False) as http:
        other = Service(url=url, issuer=issuer, database=service.database, http=http)
        answers = await asyncio.gather(
            *(each.ann("POST", PATH, {"a": 6}, headers=key) for each in (service, other) * 4)
        )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert await count(service, 6) == 1


async def test_a_refusal_is_not_kept(service: Service) -> None:
    key = keyed()
    refused = await service.ann("POST", PATH, {"a": "seven"}, headers=key)
    assert refused.status_code == 422
    corrected = await service.ann("POST", PATH, {"a": 7}, headers=key)
    assert corrected.status_code == 201
    other = keyed()
    await service.ann("POST", PATH, {"u": "taken"})
    conflict = await service.ann("POST", PATH, {"u": "taken"}, headers=other)
    assert conflict.status_code == 409


async def test_tables_are_made_once_too(service: Service) -> None:
    key = keyed()
    body = {"table_name": "MadeOnce", "fields": {"a": "TEXT"}}
    first = await service.ann("POST", "/api/create-table", body, headers=key)
    second = await service.ann("POST", "/api/create-table", body, headers=key)
    assert (first.status_code, second.status_code, second.text) == (201, 201, first.text)
    without = await service.ann("POST", "/api/create-table", body)
    assert without.status_code == 409


async def test_a_bad_key_is_named(service: Service) -> None:
    for key in ("", "x" * 256):
        answer = await service.ann("POST", PATH, {"a": 8}, headers={"Idempotency-Key": key})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "Idempotency-Key"


async def test_work_that_was_done_is_not_done_again_when_its_answer_was_lost(
    service: Service,
) -> None:
    key = keyed()
    await service.ann("POST", PATH, {"a": 9}, headers=key)
    connection = await asyncpg.connect(service.database.superuser_url)
    digest = hashlib.sha256(key["Idempotency-Key"].encode()).hexdigest()
    await connection.execute(
        "UPDATE records.idempotency SET status = NULL, body = NULL,"
        " created_at = now() - interval '1 minute' WHERE key = $1",
        digest,
    )
    again = await service.ann("POST", PATH, {"a": 9}, headers=key)
    assert (again.status_code, again.json()["code"]) == (409, "idempotency_answer_lost")
    assert await count(service, 9) == 1
    await connection.execute(
        "UPDATE records.idempotency SET created_at = now() - interval '25 hours' WHERE key = $1",
        digest,
    )
    next_day = await service.ann("POST", PATH, {"a": 10}, headers=key)
    assert next_day.status_code == 201
    await connection.close()


async def test_a_try_that_died_before_its_commit_leaves_the_key_free_at_once(
    service: Service,
) -> None:
    """As every try of the time does when PostgreSQL restarts."""
    key = keyed()
    connection = await asyncpg.connect(service.database.superuser_url)
    holding = connection.transaction()
    await holding.start()
    await connection.execute('LOCK TABLE data."Once" IN ACCESS EXCLUSIVE MODE')
    trying = asyncio.create_task(service.ann("POST", PATH, {"a": 11}, headers=key))
    ended = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND application_name LIKE 'tabularium-records:%'"
    )
    await until("the try waits for the table", lambda: connection.fetchval(ended))
    assert (await trying).status_code == 503
    await holding.rollback()
    again = await service.ann("POST", PATH, {"a": 11}, headers=key)
    assert again.status_code == 201
    assert await count(service, 11) == 1
    await connection.close()


async def test_a_kept_answer_is_for_those_alone_who_may_still_see_the_table(
    service: Service,
) -> None:
    service.issuer.know(BOB)
    grant = "/api/tables/Once/grants/bob@example.com"
    await service.ann("PUT", grant, {"level": "editor"})
    key, other = keyed(), keyed()
    inserting = {"table_name": "Once", "data": {"a": 12}}
    for _ in range(2):
        first = await service.bob("POST", PATH, {"a": 12}, headers=key)
        verb = await service.bob("POST", "/api/insert-record", inserting, headers=other)
        assert (first.status_code, verb.status_code) == (201, 201)
    assert await count(service, 12) == 2
    await service.ann("DELETE", grant)
    for path, body, sent in ((PATH, {"a": 12}, key), ("/api/insert-record", inserting, other)):
        answer = await service.bob("POST", path, body, headers=sent)
        assert (answer.status_code, answer.json()["code"]) == (404, "table_not_found")


async def test_a_column_is_added_once(service: Service) -> None:
    key = keyed()
    body = {"table_name": "Once", "column_name": "later", "column_type": "TEXT"}
    answers = await asyncio.gather(
        *(service.ann("POST", "/api/add-column", body, headers=key) for _ in range(4))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
