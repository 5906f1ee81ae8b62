"""Exports on a streaming replica: there if it has all that was committed, else on the primary."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
import httpx2
import pytest
import pytest_asyncio

from deploy.local.postgresql import SUPERUSER, Cluster
from deploy.local.processes import NOBODY_UID, free_port
from services.records.main import create_app
from tests.records.conftest import Service, new_name, settings_for
from tests.support.databases import Database
from tests.support.issuer import Issuer
from tests.support.serving import serving

RAN_LAST = (
    "SELECT query FROM pg_stat_activity WHERE application_name = 'tabularium-records:export'"
    " ORDER BY query_start DESC LIMIT 1"
)


def standby_of(primary: Cluster, folder: Path) -> Cluster:
    """A running replica that streams from the primary."""
    folder.mkdir(mode=0o755)
    command = [
        str(primary.binaries / "pg_basebackup"),
        *("--pgdata", str(folder / "data"), "--write-recovery-conf", "--checkpoint", "fast"),
        *("--no-sync", "--dbname", primary.url()),
    ]
    user = None
    if os.geteuid() == 0:
        os.chown(folder, NOBODY_UID, NOBODY_UID)
        user = NOBODY_UID
    subprocess.run(command, check=True, capture_output=True, user=user, cwd="/")
    standby = replace(
        primary,
        data=folder / "data",
        port=free_port(),
        log_file=folder.with_suffix(".log"),
        process=None,
    )
    standby.start()
    return standby


@dataclass(frozen=True)
class Replicated:
    """A service whose exports have a replica."""

    service: Service
    standby: Cluster
    database: Database

    async def asked(self, statement: str) -> object:
        """What the replica answers to its superuser."""
        url = self.standby.url(user=SUPERUSER, database=self.database.name)
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def replicated(
    module_database: Database, issuer: Issuer, state_folder: Path
) -> AsyncIterator[Replicated]:
    folder = state_folder / "standby"
    standby = await asyncio.to_thread(standby_of, module_database.cluster, folder)
    url = replace(module_database, cluster=standby, pooler=None).url("records")
    settings = settings_for(module_database, issuer, export_database_url=url)
    try:
        async with (
            serving(create_app(settings)) as at,
            httpx2.AsyncClient(base_url=at, trust_env=False, timeout=60) as http,
        ):
            service = Service(at, issuer, module_database, http)
            yield Replicated(service, standby, module_database)
    finally:
        await asyncio.to_thread(standby.stop)
        shutil.rmtree(folder)


async def test_an_export_is_read_from_the_replica_and_has_what_was_just_written(
    replicated: Replicated,
) -> None:
    ann, table = replicated.service.ann, new_name()
    await ann.table(table, "a INTEGER")
    for number in range(1, 11):
        await ann.insert(table, {"a": number})
        export = await ann("GET", f"/api/tables/{table}/export?format=ndjson")
        assert len(export.text.splitlines()) == number
    assert await replicated.asked(RAN_LAST) == "COMMIT;"


async def test_a_replica_that_is_behind_is_passed_by(replicated: Replicated) -> None:
    ann, table = replicated.service.ann, new_name()
    await replicated.asked("SELECT pg_wal_replay_pause()")
    try:
        await ann.table(table, "a INTEGER")
        await ann.insert(table, {"a": 1})
        export = await ann("GET", f"/api/tables/{table}/export?format=ndjson")
        assert export.text.splitlines() == ['{"id":1,"a":1}']
    finally:
        await replicated.asked("SELECT pg_wal_replay_resume()")


@pytest.mark.parametrize("what", ["away", "promoted"])
async def test_a_replica_that_is_none_any_more_is_passed_by(
    replicated: Replicated, what: str
) -> None:
    ann, table = replicated.service.ann, new_name()
    await ann.table(table, "a INTEGER")
    if what == "promoted":
        await asyncio.to_thread(replicated.standby.launch)
        await replicated.standby.ready()
        assert await replicated.asked("SELECT pg_promote()")
    else:
        await asyncio.to_thread(replicated.standby.stop)
    await ann.insert(table, {"a": 1})
    export = await ann("GET", f"/api/tables/{table}/export?format=ndjson")
    assert export.text.splitlines() == ['{"id":1,"a":1}']
