"""What is refused of imports from databases before they are queued."""

import time
from typing import Any

import httpx2
import pytest

from tests.ingest.connections.driving import Elsewhere
from tests.ingest.connections.test_database_imports import oracle_people
from tests.support.databases import PASSWORD
from tests.support.profile import only_in_full


async def test_what_does_not_work_is_told_before_the_202(elsewhere: Elsewhere) -> None:
    await elsewhere.ingest.peers.make_table("people", {"name": "text"})
    elsewhere.put(oracle_people(1))
    postgresql, oracle = elsewhere.postgresql, elsewhere.oracle_source
    cases: list[tuple[dict[str, Any], tuple[str, str]]] = [
        ({**postgresql, "password": "x"}, ("password", "wrong_log_in")),
        ({**postgresql, "database": "nowhere"}, ("database", "unknown_database")),
        ({**postgresql, "host": "10.0.0.1"}, ("host", "host_not_allowed")),
        ({**postgresql, "host": "/tmp"}, ("host", "invalid_host")),
        ({**postgresql, "port": 2}, ("port", "nobody_listens")),
        ({**oracle, "password": "x"}, ("password", "wrong_log_in")),
        ({**oracle, "service_name": "NOWHERE"}, ("service_name", "unknown_service")),
        ({**oracle, "host": "a)(HOST=b"}, ("host", "invalid_host")),
    ]
    for source, reason in cases:
        answer = await elsewhere.refused(source=source, table="people", into="people")
        assert answer == (422, [reason])
    for source in (postgresql, oracle):
        answer = await elsewhere.refused(source=source, table="nothing", into="people")
        assert answer == (422, [("table", "no_such_table")])
    answer = await elsewhere.refused(source=oracle, table="people", into="people")
    assert answer[0] == 422
    assert ("BALANCE", "unknown_column") in answer[1]
    for query in ("SELEC", "DELETE FROM pg_class"):
        answer = await elsewhere.refused(source=postgresql, query=query, into="people")
        assert answer == (422, [("query", "query_refused")])
    assert await elsewhere.ingest.owner.fetchval("SELECT count(*) FROM ingest.imports") == 0
    assert await elsewhere.ingest.owner.fetchval("SELECT count(*) FROM ingest.reads") == 0


@only_in_full
async def test_a_silent_source_is_answered_within_ten_seconds(elsewhere: Elsewhere) -> None:
    elsewhere.oracle.faults.silent_at = "login"
    started = time.monotonic()
    answer = await elsewhere.refused(
        source=elsewhere.oracle_source, table="t", into="T", create_table=True
    )
    assert answer == (422, [("host", "no_answer")])
    assert time.monotonic() - started < 10


async def test_our_own_database_is_no_source(elsewhere: Elsewhere) -> None:
    own = elsewhere.ingest.database
    for host in ("127.0.0.1", "localhost", "127.0.0.2"):
        ours = {
            **elsewhere.postgresql,
            "host": host,
            "port": own.cluster.port,
            "database": own.name,
        }
        answer = await elsewhere.refused(
            source=ours, table="auth.users", into="T", create_table=True
        )
        assert answer == (422, [("host", "own_server")])


async def test_no_server_of_the_installation_is_a_source(elsewhere: Elsewhere) -> None:
    settings = elsewhere.ingest.settings
    for url in (settings.redis_url.get_secret_value(), settings.records_url, settings.auth_url):
        place = httpx2.URL(url)
        source = {**elsewhere.postgresql, "host": place.host, "port": place.port}
        assert await elsewhere.refused(source=source, table="t", into="T", create_table=True) == (
            422, [("host", "own_server")],
        )  # fmt: skip
    mail = {**elsewhere.postgresql, "port": settings.smtp_port}
    answer = await elsewhere.refused(source=mail, table="t", into="T", create_table=True)
    assert answer == (422, [("host", "own_server")])


@pytest.mark.parametrize("field", ["host", "database", "user", "password"])
@pytest.mark.parametrize("character", ["\n", "\r", "\t", "\x7f", "\x1b", "\x85"])
async def test_control_characters_are_refused_by_field(
    elsewhere: Elsewhere, field: str, character: str
) -> None:
    source = {**elsewhere.postgresql, field: f"a{character}b"}
    answer = await elsewhere.refused(source=source, table="t", into="T", create_table=True)
    assert answer == (422, [(f"source.{field}", "control_character")])
    oracle = {**elsewhere.oracle_source, "service_name": f"a{character}b"}
    answer = await elsewhere.refused(source=oracle, table="t", into="T", create_table=True)
    assert answer == (422, [("source.service_name", "control_character")])


async def test_bodies_that_make_no_sense_are_refused(elsewhere: Elsewhere) -> None:
    source = elsewhere.postgresql
    for body in (
        {"table": "t", "into": "T"},
        {"source": source, "into": "T"},
        {"source": source, "source_id": 1, "table": "t", "into": "T"},
        {"source": source, "table": "t", "query": "SELECT 1", "into": "T"},
        {"source": source, "table": "a.b.c", "into": "T"},
        {"source": source, "table": "t", "into": "T", "mode": "upsert"},
        {"source": {**source, "service_name": "x"}, "table": "t", "into": "T"},
        {"source": {**elsewhere.oracle_source, "sid": "x"}, "table": "t", "into": "T"},
        {"source": source, "table": "t", "into": "T", "delimiter": ","},
        {"source": {**source, "password": "\ud800"}, "table": "t", "into": "T"},
        {"source": source, "table": "t\0", "into": "T"},
        {"source": source, "query": "SELECT '\0'", "into": "T"},
        {"source": source, "table": "t", "into": "T\0", "create_table": True},
        {"source": source, "table": "t", "into": "T", "mapping": {"a\0": "b"}},
        {"source": source, "table": "t", "into": "T", "mode": "upsert", "key": ["a\0"]},
        {"source": source, "table": "t", "into": "T", "etl_name": "\ud800"},
        {"source_id": 2**63, "table": "t", "into": "T"},
        {"source": source, "table": "t", "into": "T", "max_errors": 2**63},
        {"source": source, "table": "t", "into": "T", "email": "ann"},
    ):
        answer = await elsewhere.send("/api/imports/database", body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input"), body
        assert PASSWORD not in answer.text
