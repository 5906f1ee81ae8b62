"""A contract is kept for as long as neither its table nor who may do what to it was changed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import asyncpg
import pytest
from aiohttp import web

from deploy.local.processes import free_port
from services.ingest.clients import RecordsClient
from shared.contracts.auth import Caller, Scope, Sub
from shared.contracts.records import ContractRequest
from shared.http.peers import PeerClient, PeerProblemError, TokenSource, http_client
from shared.process.settings import ServiceSettings
from shared.store.engine import database_pool
from tests.ingest.load.loading import contract_of
from tests.support.databases import Database

ANN = Caller(sub=Sub("ann"), email="ann@example.com", role="member", scopes=frozenset(Scope))
BOB = ANN.model_copy(update={"sub": Sub("bob")})


@dataclass
class Records:
    """Answers with the table's contract as it is, unless it is to refuse, and counts its calls."""

    database: Database
    client: RecordsClient = field(init=False)
    refuses: bool = False
    asked: int = 0

    async def token(self, _request: web.Request) -> web.Response:
        answer = {"access_token": "a.b.c", "token_type": "Bearer", "expires_in": 900}
        return web.json_response(answer)

    async def contracts(self, request: web.Request) -> web.Response:
        self.asked += 1
        if self.refuses:
            problem = {"type": "t", "title": "t", "detail": "d", "request_id": "r"}
            body = {**problem, "status": 404, "code": "not_found"}
            return web.json_response(body, status=404)
        table = ContractRequest.model_validate_json(await request.read()).table
        connection = await asyncpg.connect(self.database.url("records"))
        contract = await contract_of(connection, table)
        await connection.close()
        return web.json_response(contract.model_dump(mode="json"))

    async def run(self, *statements: str) -> None:
        connection = await asyncpg.connect(self.database.url("records"))
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    async def columns(self, caller: Caller = ANN) -> list[str]:
        contract = await self.client.contract("people", caller)
        return [str(column.name) for column in contract.columns]


MADE = (
    "CREATE TABLE data.people (id bigint PRIMARY KEY, _import bigint, _version integer, name text)",
    "INSERT INTO records.tables (name, owner_sub, owner_label) VALUES ('people', 'ann', 'ann')",
)


@pytest.fixture
async def records(database: Database) -> AsyncIterator[Records]:
    peer = Records(database)
    await peer.run(*MADE)
    app = web.Application()
    app.router.add_post("/api/auth/token", peer.token)
    app.router.add_post("/internal/contracts", peer.contracts)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    url = f"http://127.0.0.1:{port}"
    settings = ServiceSettings.model_validate(
        {
            **{f"{name}_url": url for name in ("auth", "catalog", "records", "ingest")},
            "redis_url": "redis://127.0.0.1:9",
            "database_url": database.url("ingest"),
            "service_client_id": "ingest",
            "service_client_secret": "only-for-tests",
        }
    )
    async with (
        http_client() as http,
        database_pool(database.url("ingest"), application_name="test", size=2) as pool,
    ):
        tokens = TokenSource(http, settings)
        peer.client = RecordsClient(PeerClient(http, tokens, base_url=url), pool)
        yield peer
    await runner.cleanup()


async def test_it_is_asked_for_once_by_each_caller(records: Records) -> None:
    for _ in range(3):
        assert await records.columns() == ["name"]
    assert records.asked == 1
    await records.columns(BOB)
    await records.columns()
    assert records.asked == 2


@pytest.mark.parametrize(
    ("statements", "columns"),
    [
        (["UPDATE records.tables SET version = version + 1"], ["name"]),
        (["UPDATE records.tables SET grants_version = grants_version + 1"], ["name"]),
        (["ALTER TABLE data.people ADD age integer"], ["name", "age"]),
        (["ALTER TABLE data.people ADD age integer", "ALTER TABLE data.people DROP name"], ["age"]),
        (["ALTER TABLE data.people RENAME name TO label"], ["label"]),
        (["ALTER TABLE data.people ALTER name TYPE varchar(5)"], ["name"]),
        (["ALTER TABLE data.people ALTER name SET NOT NULL"], ["name"]),
        (["ALTER TABLE data.people ALTER name SET DEFAULT ''"], ["name"]),
        (["ALTER TABLE data.people ADD UNIQUE (name)"], ["name"]),
        (["ALTER TABLE data.people ADD CHECK (name <> '')"], ["name"]),
        (["DROP TABLE data.people", MADE[0]], ["name"]),
        (["DELETE FROM records.tables", MADE[1]], ["name"]),
    ],
)
async def test_it_is_asked_for_again_after_a_change(
    records: Records, statements: list[str], columns: list[str]
) -> None:
    await records.columns()
    await records.run(*statements)
    for _ in range(2):
        assert await records.columns() == columns
    assert records.asked == 2


async def test_a_constraint_that_is_dropped_is_a_change(records: Records) -> None:
    await records.run("ALTER TABLE data.people ADD CONSTRAINT named UNIQUE (name)")
    kept = await records.client.contract("people", ANN)
    assert [key.constraint for key in kept.unique_keys] == ["named", "people_pkey"]
    await records.run("ALTER TABLE data.people DROP CONSTRAINT named")
    fresh = await records.client.contract("people", ANN)
    assert [key.constraint for key in fresh.unique_keys] == ["people_pkey"]


async def test_a_refusal_is_not_kept(records: Records) -> None:
    records.refuses = True
    for _ in range(2):
        with pytest.raises(PeerProblemError):
            await records.columns()
    records.refuses = False
    assert await records.columns() == ["name"]
    assert records.asked == 3


async def test_what_is_no_table_of_the_registry_is_asked_for_each_time(records: Records) -> None:
    await records.run("DELETE FROM records.tables")
    await records.columns()
    await records.columns()
    assert records.asked == 2
