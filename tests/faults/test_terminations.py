"""PostgreSQL ends every session, again and again, under readers and writers: no answer is 500."""

import asyncio
import itertools
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import asyncpg
import httpx2
import pytest_asyncio

from deploy.local.valkey import Valkey
from services.catalog.main import create_app as catalog_app
from services.records.main import create_app as records_app
from tests.auth.driving import running_auth
from tests.catalog.conftest import settings_for as catalog_settings
from tests.ingest.driving import running_ingest
from tests.records.conftest import settings_for as records_settings
from tests.support.databases import Database
from tests.support.issuer import Issuer, person
from tests.support.mailbox import running_mailbox
from tests.support.serving import serving
from tests.support.waiting import until

ANN = person("ann@example.com")
TERMINATIONS = 30
READERS = 8
WRITERS = 8
ANSWERS_BETWEEN = 2
"""So many answers each reader and writer gets between two terminations."""

END_ALL = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""

Call = Callable[[], Awaitable[httpx2.Response]]


@dataclass
class Hammer:
    """Readers and writers that never stop, and what they were answered."""

    answers: Counter[str] = field(default_factory=Counter)
    codes: Counter[int] = field(default_factory=Counter)
    done: set[int] = field(default_factory=set)
    stopping: bool = False
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def note(self, name: str, answer: httpx2.Response) -> None:
        self.answers[name] += 1
        self.codes[answer.status_code] += 1

    async def read(self, name: str, *calls: Call) -> None:
        for call in itertools.cycle(calls):
            if self.stopping:
                return
            self.note(name, await call())

    async def write(
        self, name: str, call: Callable[[int, dict[str, str]], Awaitable[httpx2.Response]]
    ) -> None:
        """Write one number after the other, each until it is in, always under its own key."""
        while not self.stopping:
            number = next(self._numbers)
            key = {"Idempotency-Key": uuid.uuid4().hex}
            while number not in self.done:
                answer = await call(number, key)
                self.note(name, answer)
                lost = answer.status_code == 409
                assert not lost or answer.json()["code"] == "idempotency_answer_lost", answer.text
                if answer.is_success or lost:
                    self.done.add(number)

    async def run(self, database: Database, *working: Awaitable[None]) -> None:
        """Terminate every session 30 times, in the midst of them."""
        connection = await asyncpg.connect(database.superuser_url)
        async with asyncio.TaskGroup() as group:
            for each in working:
                group.create_task(each)  # type: ignore[arg-type]
            for _ in range(TERMINATIONS):
                before = self.answers.copy()
                await connection.execute(END_ALL)
                await until("everybody was answered", partial(self._further, before))
            self.stopping = True
        await connection.close()

    def _further(self, before: Counter[str]) -> bool:
        return len(self.answers) == READERS + WRITERS and all(
            self.answers[name] >= before[name] + ANSWERS_BETWEEN for name in self.answers
        )


@dataclass
class Services:
    """Records, catalog and auth over one database."""

    records: httpx2.AsyncClient
    catalog: httpx2.AsyncClient
    ingest: httpx2.AsyncClient
    auth: httpx2.AsyncClient
    admin: dict[str, str]
    ann: dict[str, str]


@asynccontextmanager
async def client(url: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60) as http:
        yield http


@pytest_asyncio.fixture
async def services(
    database: Database, issuer: Issuer, own_valkey: Valkey, tmp_path: Path
) -> AsyncIterator[Services]:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        issuer.know(ANN)
        records = await enter(serving(records_app(records_settings(database, issuer))))
        catalog = await enter(serving(catalog_app(catalog_settings(database, issuer, records))))
        ingest = await enter(
            running_ingest(
                database, issuer=issuer, redis_url=own_valkey.url, storage=tmp_path / "storage"
            )
        )
        auth = await enter(running_auth(database, await enter(running_mailbox())))
        yield Services(
            records=await enter(client(records)),
            catalog=await enter(client(catalog)),
            ingest=ingest.http,
            auth=auth.http,
            admin=await auth.admin(),
            ann=issuer.bearer(ANN),
        )


async def test_no_answer_is_500_and_nothing_is_done_twice(
    services: Services, database: Database
) -> None:
    table = {"name": "Kept", "columns": [{"name": "n", "type": "INTEGER"}]}
    path = "/api/tables/Kept/records"
    assert (await services.records.post("/api/tables", json=table, headers=services.ann)).is_success
    hammer = Hammer()

    def get(http: httpx2.AsyncClient, url: str, headers: dict[str, str]) -> Call:
        return lambda: http.get(url, headers=headers)

    async def insert(n: int, key: dict[str, str]) -> httpx2.Response:
        return await services.records.post(path, json={"n": n}, headers=services.ann | key)

    async def insert_array(n: int, key: dict[str, str]) -> httpx2.Response:
        return await services.records.post(path, json=[{"n": n}], headers=services.ann | key)

    async def enter_etl(n: int, key: dict[str, str]) -> httpx2.Response:
        body = {"name": f"etl {n}"}
        return await services.catalog.post(
            "/api/catalog/etls", json=body, headers=services.ann | key
        )

    async def add_user(n: int, key: dict[str, str]) -> httpx2.Response:
        body = {"email": f"user{n}@example.com"}
        return await services.auth.post("/api/auth/users", json=body, headers=services.admin | key)

    readers = [
        hammer.read(f"reader {number}", *calls)
        for number, calls in enumerate(
            2
            * (
                (
                    get(services.records, path, services.ann),
                    get(services.records, f"{path}/1", services.ann),
                    get(services.records, "/api/tables/Kept", services.ann),
                ),
                (get(services.catalog, "/api/catalog/etls", services.ann),),
                (
                    get(services.ingest, "/api/imports", services.ann),
                    get(services.ingest, "/api/sources", services.ann),
                ),
                (
                    get(services.auth, "/api/auth/users", services.admin),
                    get(services.auth, "/api/audit", services.admin),
                    get(services.auth, "/.well-known/jwks.json", {}),
                ),
            )
        )
    ]
    writers = [
        hammer.write(f"writer {number}", call)
        for number, call in enumerate(2 * (insert, insert_array, enter_etl, add_user))
    ]
    assert (len(readers), len(writers)) == (READERS, WRITERS)
    await hammer.run(database, *readers, *writers)
    assert set(hammer.codes) <= {200, 201, 404, 409, 503}, hammer.codes
    assert hammer.codes[503] > 0
    connection = await asyncpg.connect(database.superuser_url)
    written = Counter(row[0] for row in await connection.fetch('SELECT n FROM data."Kept"'))
    for query in (
        "SELECT substr(name, 5)::int FROM catalog.etls WHERE name LIKE 'etl %'",
        "SELECT substring(email, '[0-9]+')::int FROM auth.users WHERE email LIKE 'user%'",
    ):
        written.update(row[0] for row in await connection.fetch(query))
    await connection.close()
    assert written == Counter(hammer.done)
