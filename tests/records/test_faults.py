"""What happens when PostgreSQL goes away, is slow, or holds something else than we remember."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import httpx2

from services.records.main import create_app
from tests.records.conftest import BOB, Service, new_name, settings_for
from tests.support.databases import Database
from tests.support.issuer import Issuer
from tests.support.serving import serving
from tests.support.waiting import until


async def ended(service: Service, application_name: str) -> int:
    """End the sessions of that name, as a restart of PostgreSQL does; how many there were."""
    connection = await asyncpg.connect(service.database.superuser_url)
    rows = await connection.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name LIKE $1 AND datname = current_database()",
        application_name,
    )
    await connection.close()
    return len(rows)


async def test_a_lost_connection_empties_what_is_known(service: Service) -> None:
    table = new_name()
    path = f"/api/tables/{table}/records"
    await service.ann.table(table, "a TEXT")
    service.issuer.know(BOB)
    await service.ann("PUT", f"/api/tables/{table}/grants/bob@example.com", {"level": "viewer"})
    assert (await service.bob("GET", path)).status_code == 200
    # As in a restored database: other grants under the same version.
    connection = await asyncpg.connect(service.database.superuser_url)
    await connection.execute("DELETE FROM records.grants WHERE sub = $1", BOB.sub)
    await connection.close()
    # Its session is opened in the background, and again where an earlier test ended it.
    await until("it listens", lambda: ended(service, "tabularium-records:listen"))

    async def is_hidden() -> bool:
        return (await service.bob("GET", path)).status_code == 404

    await until("the grant is gone", is_hidden)


async def test_after_postgresql_was_away_everything_goes_on(service: Service) -> None:
    table = new_name()
    path = f"/api/tables/{table}/records"
    await service.ann.table(table, "a INTEGER")
    await ended(service, "tabularium-records:%")
    async with asyncio.timeout(20):
        statuses = []
        while 201 not in statuses:
            statuses.append((await service.ann("POST", path, {"a": 1})).status_code)
    assert set(statuses) <= {201, 503}
    page = await service.ann("GET", path)
    assert len(page.json()["items"]) == 1


async def test_a_change_behind_our_back_is_found(service: Service) -> None:
    table = new_name()
    path = f"/api/tables/{table}/records"
    await service.ann.table(table, "a TEXT")
    await service.ann.insert(table, {"a": "x"})
    connection = await asyncpg.connect(service.database.url("records"))
    await connection.execute(f'ALTER TABLE data."{table}" RENAME COLUMN a TO b')
    assert (await service.ann("GET", path)).json()["items"] == [{"id": 1, "b": "x"}]
    await connection.execute(f'ALTER TABLE data."{table}" ALTER b TYPE integer USING 5')
    assert (await service.ann("GET", path, params={"b__gte": "5"})).json()["items"] == [
        {"id": 1, "b": 5}
    ]
    await connection.execute(f'DROP TABLE data."{table}"')
    await connection.close()
    assert (await service.ann("GET", path)).status_code == 404


@asynccontextmanager
async def statements_timed_out(database: Database, after: str) -> AsyncIterator[None]:
    """Sessions of `records` that begin inside; the bootstrap sets it for all its databases."""
    of_role = f"ALTER ROLE records IN DATABASE {database.name}"
    owner = await asyncpg.connect(database.url())
    await owner.execute(f"{of_role} SET statement_timeout = '{after}'")
    if database.pooler is not None:
        await database.pooler.reconnect()
    try:
        yield
    finally:
        await owner.execute(f"{of_role} RESET statement_timeout")
        await owner.close()


async def test_what_takes_too_long_is_ended_and_said(service: Service, issuer: Issuer) -> None:
    async with (
        statements_timed_out(service.database, "300ms"),
        serving(create_app(settings_for(service.database, issuer))) as url,
        httpx2.AsyncClient(base_url=url, trust_env=False, timeout=30) as http,
    ):
        ann = Service(url=url, issuer=issuer, database=service.database, http=http).ann
        table = new_name()
        await ann.table(table, {"name": "a", "type": "TEXT", "unique": True})
        connection = await asyncpg.connect(service.database.url("records"))
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(f"INSERT INTO data.\"{table}\" (a) VALUES ('held')")
        slow = await ann("POST", f"/api/tables/{table}/records", {"a": "held"})
        assert (slow.status_code, slow.json()["code"]) == (503, "too_slow")
        await transaction.rollback()
        await connection.close()
        assert (await ann("POST", f"/api/tables/{table}/records", {"a": "held"})).is_success


async def test_a_table_that_is_locked_and_not_known_yet_is_said_to_be_slow(
    service: Service, issuer: Issuer
) -> None:
    table = new_name()
    await service.ann.table(table, "a TEXT")
    async with (
        statements_timed_out(service.database, "300ms"),
        serving(create_app(settings_for(service.database, issuer))) as url,
        httpx2.AsyncClient(base_url=url, trust_env=False, timeout=30) as http,
    ):
        ann = Service(url=url, issuer=issuer, database=service.database, http=http).ann
        connection = await asyncpg.connect(service.database.url("records"))
        async with connection.transaction():
            await connection.execute(f'LOCK TABLE data."{table}" IN ACCESS EXCLUSIVE MODE')
            slow = await ann("GET", f"/api/tables/{table}/records")
            assert (slow.status_code, slow.json()["code"]) == (503, "too_slow")
        await connection.close()
        assert (await ann("GET", f"/api/tables/{table}/records")).status_code == 200


async def test_a_body_that_is_too_large_is_refused(service: Service) -> None:
    table = new_name()
    await service.ann.table(table, "a TEXT")
    body = b'{"a": "' + b"x" * (65 * 1024 * 1024) + b'"}'
    answer = await service.ann("POST", f"/api/tables/{table}/records", content=body)
    assert answer.status_code == 413


async def test_readiness_names_the_database(service: Service) -> None:
    answer = await service.http.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]) == (200, {"postgresql": "ok"})
