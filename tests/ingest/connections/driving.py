"""A running import service beside two databases that are not ours."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
from pydantic import SecretStr

from deploy.local.postgresql import Cluster
from shared.contracts.auth import Caller
from tests.ingest.driving import ANN, Ingest, running_ingest
from tests.support.databases import OWNER, PASSWORD, Database, drop_database, make_database
from tests.support.issuer import Issuer
from tests.support.oracle.database import Account, OracleDatabase, Table
from tests.support.oracle.server import Faults, OracleServer, oracle_server

KEY = base64.urlsafe_b64encode(b"k" * 32).decode()
ORACLE_PASSWORD = "oracle-geheim"

EMPTY = """
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT nspname FROM pg_namespace
                WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema' LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', name);
    END LOOP;
    CREATE SCHEMA public;
END $$
"""


@dataclass
class Elsewhere:
    """The service, somebody's PostgreSQL and somebody's Oracle."""

    ingest: Ingest
    database: Database
    owner: "asyncpg.Connection[asyncpg.Record]"
    oracle: OracleServer

    async def emptied(self) -> None:
        """Forget all that earlier tests did, in all three databases."""
        await self.ingest.emptied()
        await self.owner.execute(EMPTY)
        oracle = self.oracle
        oracle.database.tables.clear()
        oracle.database.accounts = {"ANN": Account(ORACLE_PASSWORD)}
        oracle.faults, oracle.connections = Faults(), 0
        oracle.statements.clear()
        oracle.reached.clear()

    @property
    def postgresql(self) -> dict[str, Any]:
        return {
            "kind": "postgresql",
            "host": "127.0.0.1",
            "port": self.database.cluster.port,
            "database": self.database.name,
            "user": OWNER,
            "password": PASSWORD,
        }

    @property
    def oracle_source(self) -> dict[str, Any]:
        return {
            "kind": "oracle",
            "host": "127.0.0.1",
            "port": self.oracle.port,
            "service_name": "FREEPDB1",
            "user": "ann",
            "password": ORACLE_PASSWORD,
        }

    def put(self, table: Table) -> None:
        """Make a table in Oracle."""
        self.oracle.database.tables.append(table)

    async def send(
        self, path: str, body: dict[str, Any], *, caller: Caller = ANN, **headers: str
    ) -> httpx2.Response:
        given = {
            "Content-Type": "application/json",
            **self.ingest.issuer.bearer(caller),
            **headers,
        }
        # Spelled in ASCII, as a client may: so half of a surrogate pair can be sent.
        return await self.ingest.http.post(path, content=json.dumps(body), headers=given)

    async def submit(self, *, path: str = "/api/imports/database", **body: Any) -> dict[str, Any]:
        answer = await self.send(path, body)
        assert answer.status_code == 202, answer.text
        found: dict[str, Any] = answer.json()
        assert answer.headers["location"] == f"/api/imports/{found['id']}"
        return found

    async def refused(
        self, *, path: str = "/api/imports/database", **body: Any
    ) -> tuple[int, list[tuple[str, str]]]:
        answer = await self.send(path, body)
        entries = answer.json().get("errors") or [{"field": "", "code": answer.json()["code"]}]
        return answer.status_code, [(entry["field"], entry["code"]) for entry in entries]

    async def rows(self, table: str, wanted: str = "*") -> list[tuple[Any, ...]]:
        found = await self.ingest.owner.fetch(f'SELECT {wanted} FROM data."{table}" ORDER BY id')
        return [tuple(row) for row in found]


@asynccontextmanager
async def running_elsewhere(
    database: Database, *, issuer: Issuer, redis_url: str, storage: Path, cluster: Cluster
) -> AsyncIterator[Elsewhere]:
    """`cluster` is not the one of the service's own database."""
    other = await make_database(cluster, f"other_{database.name}")
    owner = await asyncpg.connect(other.url())
    oracle = OracleDatabase(accounts={"ANN": Account(ORACLE_PASSWORD)})
    try:
        async with (
            oracle_server(oracle) as server,
            running_ingest(
                database,
                issuer=issuer,
                redis_url=redis_url,
                storage=storage,
                source_keys=SecretStr(KEY),
                source_allowed_networks="127.0.0.0/8",
                source_answer_s=10,
            ) as ingest,
        ):
            yield Elsewhere(ingest, other, owner, server)
    finally:
        await owner.close()
        await drop_database(other)
