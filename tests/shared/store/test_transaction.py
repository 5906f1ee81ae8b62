"""A transaction with what is written beside the work: all of it or nothing."""

import uuid

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.records.tables import idempotency, outbox
from shared.contracts.auth import Caller, Role
from shared.process.request_id import current_request_id
from shared.store.engine import database_engine
from shared.store.transaction import Bookkeeping, Transaction, transaction
from tests.support.databases import Database

BOOKS = Bookkeeping("records", idempotency=idempotency, outbox=outbox)
ANN = Caller(sub=str(uuid.uuid4()), label="ann@example.com", role=Role.MEMBER, scopes=frozenset())

WRITTEN = """
SELECT (SELECT count(*) FROM data.t), (SELECT count(*) FROM records.outbox),
       (SELECT count(*) FROM audit.events)
"""


async def write_all(tx: Transaction) -> None:
    await tx.raw.execute("INSERT INTO data.t VALUES (1)")
    await tx.connection.execute(text("INSERT INTO data.t VALUES (2)"))
    await tx.record(ANN, "table.create", "t", columns=["a"])
    await tx.intend("table_event", {"name": "t"})
    await tx.seal()


async def write_and_fail(engine: AsyncEngine) -> None:
    async with transaction(engine, BOOKS) as tx:
        await write_all(tx)
        raise ZeroDivisionError


async def test_everything_is_committed_together(database: Database) -> None:
    look = await asyncpg.connect(database.superuser_url)
    async with database_engine(database.url("records"), application_name="test") as engine:
        async with transaction(engine, BOOKS) as tx:
            await tx.raw.execute("CREATE TABLE data.t (a integer)")
        async with transaction(engine, BOOKS) as tx:
            await write_all(tx)
            assert tuple(await look.fetchrow(WRITTEN)) == (0, 0, 0)
        assert tuple(await look.fetchrow(WRITTEN)) == (2, 1, 1)
        with pytest.raises(ZeroDivisionError):
            await write_and_fail(engine)
        assert tuple(await look.fetchrow(WRITTEN)) == (2, 1, 1)
    event = await look.fetchrow("SELECT subject, action, object, result, detail FROM audit.events")
    assert tuple(event) == (ANN.sub, "table.create", "t", "ok", '{"columns": ["a"]}')
    await look.close()


async def test_a_transaction_bears_its_request_and_its_settings(database: Database) -> None:
    books = Bookkeeping("records", settings={"statement_timeout": "7min"})

    async def settings(engine: AsyncEngine) -> tuple[str, str]:
        async with transaction(engine, books) as tx:
            row = await tx.raw.fetchrow(
                "SELECT current_setting('application_name'), current_setting('statement_timeout')"
            )
            assert row is not None
            return row[0], row[1]

    url = database.url("catalog")
    async with database_engine(url, application_name="pooled", pool_size=1) as engine:
        assert await settings(engine) == ("tabularium-records:engine", "7min")
        reset = current_request_id.set("abc")
        assert await settings(engine) == ("tabularium-records:abc", "7min")
        current_request_id.reset(reset)
        async with engine.connect() as connection:
            row = (
                await connection.execute(
                    text(
                        "SELECT current_setting('application_name'), "
                        "current_setting('statement_timeout')"
                    )
                )
            ).one()
    assert tuple(row) == ("pooled", "0")
