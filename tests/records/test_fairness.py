"""What one subject asks for costs that subject: statements, exports and large answers."""

import asyncio
from collections.abc import AsyncGenerator, MutableMapping
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest

from services.records.face.export_stream import ExportResponse
from services.records.query.export import ExportFormat
from services.records.service.exports import Export
from shared.contracts.auth import Sub
from shared.errors import UnavailableError
from shared.process.places import Places
from tests.records.conftest import Service, new_name
from tests.support.waiting import until

STATEMENTS = 4
"""Of one subject at once, by default."""
WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
AND application_name LIKE 'tabularium-records:%'"""


async def test_no_subject_has_all_places() -> None:
    places, running = Places(3, per_subject=2, wait_s=0.05, what="tests"), asyncio.Event()
    held: list[Sub] = []

    async def hold(subject: Sub) -> None:
        async with places.one(subject):
            held.append(subject)
            await running.wait()

    ann, bob = Sub("ann"), Sub("bob")
    first = [asyncio.create_task(hold(ann)) for _ in range(2)]

    async def both() -> bool:
        return len(held) == 2

    await until("both have a place", both)
    with pytest.raises(UnavailableError):
        await hold(ann)
    async with places.one(bob):
        with pytest.raises(UnavailableError):
            await hold(bob)
    running.set()
    await asyncio.gather(*first)
    await hold(ann)
    assert held == [ann, ann, ann]


async def test_a_place_is_kept_until_its_request_is_answered() -> None:
    places, answered = Places(2, per_subject=1, wait_s=0.05, what="tests"), asyncio.Event()
    ann, has_one = Sub("ann"), asyncio.Event()

    async def request() -> None:
        await places.keep_one(ann)
        has_one.set()
        await answered.wait()

    first = asyncio.create_task(request())
    await has_one.wait()
    with pytest.raises(UnavailableError):
        await places.keep_one(ann)
    answered.set()
    await first
    async with places.one(ann):
        pass


async def test_slow_statements_of_one_subject_leave_connections_to_others(
    service: Service,
) -> None:
    slow, other = new_name(), new_name()
    await service.ann.table(slow, "a INTEGER")
    await service.bob.table(other, "a INTEGER")
    holder = await asyncpg.connect(service.database.superuser_url)
    watcher = await asyncpg.connect(service.database.superuser_url)
    transaction = holder.transaction()
    await transaction.start()
    await holder.execute(f'LOCK TABLE data."{slow}" IN ACCESS EXCLUSIVE MODE')
    path = f"/api/tables/{slow}/records"
    reads = [asyncio.create_task(service.ann("GET", path)) for _ in range(12)]
    writes = [
        asyncio.create_task(service.ann("PATCH", f"{path}?a=1", {"a": number}))
        for number in range(6)
    ]

    async def full() -> bool:
        return bool(await watcher.fetchval(WAITING) == STATEMENTS)

    await until("one subject has all of its statements", full)
    async with asyncio.timeout(20):
        page = await service.bob("GET", f"/api/tables/{other}/records")
        written = await service.bob("POST", f"/api/tables/{other}/records", [{"a": 1}])
        tables = await service.bob("GET", "/api/tables")
    assert [page.status_code, written.status_code, tables.status_code] == [200, 201, 200]
    assert await watcher.fetchval(WAITING) == STATEMENTS
    await transaction.rollback()
    answers = await asyncio.gather(*reads, *writes)
    assert {answer.status_code for answer in answers} == {200}
    await holder.close()
    await watcher.close()


async def test_exports_of_one_subject_leave_a_place_to_others(service: Service) -> None:
    table = new_name()
    await service.ann.table(table, "t TEXT")
    await service.ann("PUT", f"/api/tables/{table}/grants/bob@example.com", {"level": "viewer"})
    connection = await asyncpg.connect(service.database.superuser_url)
    await connection.execute(
        f'INSERT INTO data."{table}" (id, t) SELECT i, repeat($1, 100000) FROM'
        " generate_series(1, 1000) i",
        "x",
    )
    await connection.close()
    path = f"/api/tables/{table}/export"
    identity = {**service.ann.headers, "Accept-Encoding": "identity"}
    async with AsyncExitStack() as unread:
        for _ in range(3):
            stream = service.http.stream("GET", path, headers=identity)
            answer = await unread.enter_async_context(stream)
            assert answer.status_code == 200
        refused = await service.ann("GET", f"{path}?id=1")
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        theirs = await service.bob("GET", f"{path}?id=1")
        assert theirs.status_code == 200

    async def again() -> bool:
        return (await service.ann("GET", f"{path}?id=1")).status_code == 200

    await until("the places are given back", again)


async def test_a_reader_who_takes_drips_of_an_export_is_ended() -> None:
    closed: list[str] = []

    async def pieces() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b"x" * 100
        finally:
            closed.append("pieces")

    async with AsyncExitStack() as held:
        held.callback(closed.append, "place")
        export = Export("T", ExportFormat.CSV, False, pieces(), held.pop_all())
    answer = ExportResponse(export, stall_s=0.2, least_bytes_per_s=1_000_000)

    async def send(message: MutableMapping[str, Any]) -> None:
        assert message["type"] in ("http.response.start", "http.response.body")
        await asyncio.sleep(0.01)

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(TimeoutError):
        await answer({}, receive, send)
    assert closed == ["pieces", "place"]


async def test_a_page_has_at_most_32_mib(service: Service) -> None:
    ann, table = service.ann, new_name()
    await ann.table(table, "t TEXT", "n INT")
    for number in range(3):
        await ann.insert(table, {"t": f"{number}" * 12 * 1024**2, "n": number})
    path = f"/api/tables/{table}/records"
    tries = (
        ("GET", f"{path}?limit=3", None),
        ("POST", f"/api/tables/{table}/query", {"limit": 3}),
        ("GET", f"/api/get-records?table_name={table}", None),
        ("GET", f"/api/tables/{table}/summary?group_by=t&measures=count", None),
    )
    for method, where, body in tries:
        refused = await ann(method, where, body)
        assert refused.status_code == 422, where
        error = refused.json()["errors"][0]
        assert (error["field"], error["code"]) == ("limit", "page_too_large"), where
    assert len((await ann("GET", f"{path}?limit=1")).json()["items"]) == 1
    assert len((await ann("GET", f"{path}?fields=n")).json()["items"]) == 3
    assert (await ann("GET", f"{path}/1")).status_code == 200
