"""One table from one PostgreSQL into another: psql piped into psql, and imports of the same."""

import subprocess
import time

import asyncpg

from bench.import_shape import ROWS, TYPES, fresh
from services.ingest.connections.domain import (
    Login,
    SourceKind,
    SourceTable,
    SourceTarget,
    SourceTimeouts,
)
from services.ingest.connections.guard import guard_of
from services.ingest.connections.postgresql.session import postgresql_session
from services.ingest.domain.options import ImportOptions
from services.ingest.domain.outcome import Outcome
from services.ingest.load.load import load_source
from services.ingest.read.postgresql.frames import PostgresqlRows
from tests.ingest.load.loading import loader
from tests.support.databases import OWNER, PASSWORD, Database, make_database

TABLE = "people"
MAKE_SOURCE = f"""
CREATE TABLE {TABLE} AS
SELECT 'Person Number ' || mixed % 100000 AS name,
  'user' || n || '@example' || mixed % 97 || '.com' AS email,
  '1950-01-01'::date + (mixed % 20000)::int AS born,
  '2020-01-01'::timestamp + (mixed % 100000000) * '1 s'::interval AS seen_at,
  (mixed % 90)::int AS age,
  ((mixed % 100000000) / 100.0)::numeric(12,2) AS amount,
  mixed % 2 = 0 AS active,
  'City ' || mixed % 5000 AS city,
  'said "' || mixed % 1000000 || '", then left' AS note,
  mixed * 1000 AS points
FROM (SELECT n, n * 2654435761 % 4294967296 AS mixed FROM generate_series(0, {ROWS} - 1) n) numbers
"""
GUARD = guard_of(networks="127.0.0.0/8", ports="")
TIMEOUTS = SourceTimeouts(answer_s=60)


async def make_source(database: Database) -> Database:
    """Another database of the cluster, with the table in it."""
    other = await make_database(database.cluster, "elsewhere")
    connection = await asyncpg.connect(other.url())
    await connection.execute(MAKE_SOURCE)
    await connection.execute(f"VACUUM ANALYZE {TABLE}")
    await connection.close()
    return other


def piped_s(source: Database, target: Database) -> float:
    """Seconds of `psql … to stdout (format binary) | psql … from stdin (format binary)`."""
    names = ", ".join(TYPES)
    out = ["psql", "-X", "-q", source.url()]
    into = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", target.url("records")]
    began = time.perf_counter()
    with subprocess.Popen(
        [*out, "-c", f"COPY {TABLE} ({names}) TO STDOUT (FORMAT binary)"], stdout=subprocess.PIPE
    ) as sending:
        command = f"COPY data.{TABLE} ({names}) FROM STDIN (FORMAT binary)"
        subprocess.run([*into, "-c", command], stdin=sending.stdout, check=True)
    return time.perf_counter() - began


async def imported_s(source: Database, target: Database) -> tuple[float, Outcome]:
    """Seconds from the log-in at the source to the commit."""
    login = Login(
        SourceTarget(
            kind=SourceKind.POSTGRESQL,
            host="127.0.0.1",
            port=source.cluster.port,
            user=OWNER,
            database=source.name,
        ),
        PASSWORD,
    )
    async with loader(target) as ready:
        began = time.perf_counter()
        async with postgresql_session(
            login, guard=GUARD, timeouts=TIMEOUTS, own_identity=None
        ) as session:
            opened = await PostgresqlRows.opened(
                session, SourceTable(None, TABLE), timeouts=TIMEOUTS
            )
            outcome = await load_source(opened, ready.outside(TABLE), ImportOptions())
        took = time.perf_counter() - began
    assert outcome.rows.loaded == ROWS, outcome
    return took, outcome


async def widened(database: Database) -> None:
    """A table whose NUMERIC has another precision: rows cannot pass, they are read."""
    await fresh(database, TABLE)
    owner = await asyncpg.connect(database.url("records"))
    await owner.execute(f"ALTER TABLE data.{TABLE} ALTER amount TYPE numeric(14,2)")
    await owner.close()
