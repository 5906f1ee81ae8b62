"""Driving a running import service: its API in this process, workers in this process or others."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
from pydantic import SecretStr

from services.ingest.main import create_app
from services.ingest.settings import WorkerSettings
from services.ingest.worker import work
from shared.contracts.auth import Caller
from tests.ingest.peers import Peers, running_peers
from tests.support.databases import Database, emptying
from tests.support.issuer import Issuer, person
from tests.support.mailbox import Mailbox, running_mailbox
from tests.support.serving import serving
from tests.support.waiting import until

ANN = person("ann@example.com")
PEOPLE = {"name": "text NOT NULL", "age": "integer"}

DROP_TABLES = """
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
                WHERE schemaname = 'data' LOOP
        EXECUTE 'DROP TABLE ' || name || ' CASCADE';
    END LOOP;
END $$
"""


def settings_for(
    database: Database,
    *,
    issuer: Issuer,
    redis_url: str,
    peers: Peers,
    mailbox: Mailbox,
    storage: Path,
    **others: Any,
) -> WorkerSettings:
    given: dict[str, Any] = {
        "database_url": SecretStr(database.url("ingest")),
        "listen_database_url": SecretStr(database.direct_url("ingest")),
        "redis_url": SecretStr(redis_url),
        "auth_url": issuer.url,
        "catalog_url": peers.url,
        "records_url": peers.url,
        "ingest_url": "http://127.0.0.1:1",
        "service_client_id": "ingest",
        "service_client_secret": SecretStr("only-for-tests"),
        "storage_url": storage.as_uri(),
        "smtp_host": "127.0.0.1",
        "smtp_port": mailbox.port,
        "smtp_security": "none",
        "progress_s": 0.05,
        "heartbeat_s": 0.5,
        "silent_s": 2,
        "sweep_s": 0.2,
        "retry_base_s": 0.1,
    }
    return WorkerSettings(**(given | others))


@dataclass
class Ingest:
    """A running API, its peers, and what it keeps."""

    http: httpx2.AsyncClient
    issuer: Issuer
    database: Database
    peers: Peers
    mailbox: Mailbox
    settings: WorkerSettings
    storage: Path
    owner: "asyncpg.Pool[asyncpg.Record]"

    def over(self, http: httpx2.AsyncClient) -> "Ingest":
        """The same, through another API process."""
        return replace(self, http=http)

    async def upload(
        self,
        content: bytes,
        *,
        path: str = "/api/imports",
        name: str = "people.csv",
        caller: Caller = ANN,
        headers: Mapping[str, str] | None = None,
        **fields: str,
    ) -> httpx2.Response:
        return await self.http.post(
            path,
            data=fields,
            files={"file": (name, content)},
            headers={**self.issuer.bearer(caller), **(headers or {})},
        )

    async def submit(self, content: bytes, **fields: Any) -> dict[str, Any]:
        """An import that is taken; by default into the table `people`."""
        if "path" not in fields:
            fields.setdefault("table", "people")
        answer = await self.upload(content, **fields)
        assert answer.status_code == 202, answer.text
        body: dict[str, Any] = answer.json()
        assert answer.headers["location"] == f"/api/imports/{body['id']}"
        return body

    async def get(self, path: str, *, caller: Caller = ANN, **params: Any) -> httpx2.Response:
        return await self.http.get(path, params=params or None, headers=self.issuer.bearer(caller))

    async def post(
        self, path: str, *, caller: Caller = ANN, headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        return await self.http.post(path, headers={**self.issuer.bearer(caller), **(headers or {})})

    async def look(self, import_: Mapping[str, Any], *, caller: Caller = ANN) -> dict[str, Any]:
        answer = await self.get(f"/api/imports/{import_['id']}", caller=caller)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def events(
        self, import_: Mapping[str, Any], *, after: str | None = None, caller: Caller = ANN
    ) -> AsyncGenerator[tuple[str, str, dict[str, Any]], None]:
        """(event, id, data) until the server ends the stream."""
        headers = self.issuer.bearer(caller)
        if after is not None:
            headers["Last-Event-ID"] = after
        path = f"/api/imports/{import_['id']}/events"
        async with self.http.stream("GET", path, headers=headers, timeout=120) as stream:
            assert stream.status_code == 200
            fields: dict[str, str] = {}
            async for line in stream.aiter_lines():
                if line:
                    name, _, value = line.partition(":")
                    fields[name] = value.strip()
                elif "data" in fields:
                    yield fields["event"], fields["id"], json.loads(fields["data"])
                    fields = {}

    async def finished(
        self, import_: Mapping[str, Any], *, caller: Caller = ANN, timeout_s: float = 60
    ) -> dict[str, Any]:
        """The import once it is done."""
        async with asyncio.timeout(timeout_s):
            async for kind, _, body in self.events(import_, caller=caller):
                if kind == "done":
                    return body
        raise AssertionError("the events ended without `done`")

    async def row(self, import_: Mapping[str, Any]) -> "asyncpg.Record":
        row = await self.owner.fetchrow("SELECT * FROM ingest.imports WHERE id = $1", import_["id"])
        assert row is not None
        return row

    async def until(self, query: str, *args: object, timeout_s: float = 60) -> Any:
        """Ask until the answer is neither null nor false."""
        return await until(query, lambda: self.owner.fetchval(query, *args), timeout_s=timeout_s)

    async def count(self, table: str = "people") -> int:
        count: int = await self.owner.fetchval(f'SELECT count(*) FROM data."{table}"')
        return count

    def stored(self) -> list[str]:
        """Everything in storage, unfinished parts too."""
        return sorted(
            str(path.relative_to(self.storage))
            for path in self.storage.rglob("*")
            if path.is_file()
        )

    async def comes_to_store(self, expected: Sequence[str]) -> None:
        """Until storage has this alone: a finished import's upload goes after its state is set."""
        await until(f"storage has {expected}", lambda: self.stored() == sorted(expected))

    async def emptied(self) -> None:
        """Forget all that earlier tests did; the process goes on."""
        await self.owner.execute(DROP_TABLES)
        # As whoever reads several of them: anything else may end in a deadlock.
        await self.owner.execute(emptying("ingest", first="imports"))
        self.peers.reset()
        self.mailbox.received.clear()
        self.mailbox.refusal, self.mailbox.refused = None, 0
        for path in self.storage.rglob("*"):
            if path.is_file():
                path.unlink()

    @asynccontextmanager
    async def working(self, **others: Any) -> AsyncIterator[None]:
        """A worker in this process, stopped in order at the end."""
        stop = asyncio.Event()
        settings = self.settings.model_copy(update=others)
        task = asyncio.create_task(work(settings, stop))
        try:
            yield
        finally:
            stop.set()
            await task


@asynccontextmanager
async def running_ingest(
    database: Database, *, issuer: Issuer, redis_url: str, storage: Path, **others: Any
) -> AsyncIterator[Ingest]:
    async with (
        running_mailbox() as mailbox,
        running_peers(database) as peers,
        asyncpg.create_pool(database.superuser_url, min_size=1, max_size=4) as owner,
    ):
        settings = settings_for(
            database,
            issuer=issuer,
            redis_url=redis_url,
            peers=peers,
            mailbox=mailbox,
            storage=storage,
            **others,
        )
        async with (
            serving(create_app(settings)) as url,
            httpx2.AsyncClient(base_url=url, timeout=60, trust_env=False) as http,
        ):
            yield Ingest(http, issuer, database, peers, mailbox, settings, storage, owner)
