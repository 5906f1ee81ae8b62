"""Points at which an import stands still, known by what PostgreSQL says, and how all ends well.

Inside the COPY: another session holds a name of the file, uncommitted, so that the unique index
makes the COPY wait at that row. In the fence, after the run's row was written: a trigger of the
audit wants an advisory lock. At the COMMIT: a deferred trigger wants one.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from deploy.local.valkey import Valkey
from tests.ingest.driving import Ingest
from tests.ingest.processes import Process, worker_process
from tests.support.waiting import until

ROWS = 20_000
HELD_NAME = "person 15000"
BAD_LINES = (101, 5001, 19_001)
TRIED_AGAIN = "(attempt > 1 OR alone)"
"""Given back at the cost of an attempt; or taken over, where the database came back too late for
that, without counting one."""
COMMIT_LOCK = 4711
FENCE_LOCK = 4712

LOADING = "application_name LIKE 'tabularium-ingest:import:%' AND usename = 'ingest'"
WAITS = f"""
SELECT pid FROM pg_stat_activity
WHERE {LOADING} AND wait_event_type = 'Lock' AND query LIKE $1 LIMIT 1"""

FENCE_TRIGGER = f"""
CREATE FUNCTION ingest.wait_in_fence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared({FENCE_LOCK});
    RETURN NEW;
END $$;
CREATE TRIGGER wait_in_fence BEFORE INSERT ON audit.events FOR EACH ROW
WHEN (NEW.action = 'import.finish') EXECUTE FUNCTION ingest.wait_in_fence();
"""

COMMIT_TRIGGER = f"""
CREATE FUNCTION ingest.wait_at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared({COMMIT_LOCK});
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER wait_at_commit AFTER UPDATE ON ingest.imports
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
WHEN (NEW.state = 'succeeded') EXECUTE FUNCTION ingest.wait_at_commit();
"""


def people(rows: int = ROWS, *, bad: tuple[int, ...] = BAD_LINES, first: int = 1) -> bytes:
    """A CSV whose lines `bad` hold an age that is no number."""
    lines = ["name,age"]
    for number in range(first, first + rows):
        age = "old" if len(lines) + 1 in bad else str(number % 100)
        lines.append(f"person {number},{age}")
    return ("\n".join(lines) + "\n").encode()


def fill(path: Path) -> None:
    """Fill a disk."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 65_536)
        except OSError:
            return


@dataclass
class Scene:
    """What a fault happens to."""

    ingest: Ingest
    folder: Path
    valkey: Valkey
    api: Process | None

    def worker(self, **others: Any) -> "AbstractAsyncContextManager[Process]":
        """A worker process, with the settings that differ."""
        settings = self.ingest.settings.model_copy(update=others)
        return worker_process(settings, self.folder)

    @asynccontextmanager
    async def held_in_copy(self) -> AsyncIterator[None]:
        """Every COPY into `people` stands still at one row until this is left."""
        async with self.ingest.owner.acquire() as blocker:
            transaction = blocker.transaction()
            await transaction.start()
            await blocker.execute("INSERT INTO data.people (name) VALUES ($1)", HELD_NAME)
            try:
                yield
            finally:
                # A test may have ended the server meanwhile, and this session with it.
                with suppress(asyncpg.InterfaceError, asyncpg.PostgresConnectionError):
                    await transaction.rollback()

    async def stands_in_copy(self) -> int:
        """The pid of a backend that waits inside its COPY."""
        pid: int = await self.ingest.until(WAITS, "COPY%")
        return pid

    @asynccontextmanager
    async def held_in_fence(self) -> AsyncIterator[None]:
        """Every fence stands still, its run's row already written, until this is left."""
        async with self._locked(FENCE_LOCK, FENCE_TRIGGER):
            yield

    async def stands_in_fence(self) -> int:
        """The pid of a backend that waits inside its fence."""
        pid: int = await self.ingest.until(WAITS, "%ingest.outbox%")
        return pid

    @asynccontextmanager
    async def held_at_commit(self) -> AsyncIterator[None]:
        """Every COMMIT of a success stands still until this is left."""
        async with self._locked(COMMIT_LOCK, COMMIT_TRIGGER):
            yield

    async def stands_at_commit(self) -> int:
        """The pid of a backend whose COMMIT was sent and waits."""
        pid: int = await self.ingest.until(WAITS, "COMMIT%")
        return pid

    async def is_all_well(
        self, import_: Mapping[str, Any], *, rows: int = ROWS, bad: tuple[int, ...] = BAD_LINES
    ) -> dict[str, Any]:
        """After a fault: succeeded, every row once, every reject once, nothing left over."""
        done = await self.ingest.finished(import_)
        assert done["state"] == "succeeded", done["error"]
        assert done["rows"]["read"] == rows
        assert done["rows"]["loaded"] == rows - len(bad)
        assert done["rows"]["rejected"] == len(bad)
        errors = (await self.ingest.get(done["links"]["errors"])).json()["items"]
        assert [item["line"] for item in errors] == list(bad)
        rejects = await self.ingest.get(done["links"]["rejects"])
        assert len(rejects.text.splitlines()) == (len(bad) + 1 if bad else 0)
        loaded = await self.ingest.owner.fetchrow(
            "SELECT count(*), count(DISTINCT name) FROM data.people WHERE _import = $1",
            import_["id"],
        )
        assert loaded is not None
        assert tuple(loaded) == (rows - len(bad), rows - len(bad))
        await self.is_clean()
        return done

    async def is_clean(self) -> None:
        """No load's connection, no lock, no orphan in storage; the outbox runs dry."""
        found = self.ingest.until
        await found(f"SELECT count(*) = 0 FROM pg_stat_activity WHERE {LOADING}")
        await found(
            "SELECT count(*) = 0 FROM pg_locks l JOIN pg_class c ON c.oid = l.relation"
            " JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname IN ('data', 'ingest') AND l.database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND l.mode NOT IN ('AccessShareLock') AND l.pid <> pg_backend_pid()"
            " AND NOT EXISTS (SELECT 1 FROM pg_stat_activity a"
            " WHERE a.pid = l.pid AND a.xact_start > now() - interval '2 s')"
        )
        await found("SELECT count(*) = 0 FROM ingest.outbox")

        async def nothing_else_is_stored() -> bool:
            return set(self.ingest.stored()) == await self._wanted()

        await until("no orphan in storage", nothing_else_is_stored)

    async def next_import_works(self) -> None:
        """A later import into the same table loads its row."""
        import_ = await self.ingest.submit(b"name,age\nlatecomer,1\n")
        done = await self.ingest.finished(import_)
        assert (done["state"], done["rows"]["loaded"]) == ("succeeded", 1)

    @asynccontextmanager
    async def _locked(self, number: int, trigger: str) -> AsyncIterator[None]:
        async with self.ingest.owner.acquire() as blocker:
            await blocker.execute(trigger)
            await blocker.execute("SELECT pg_advisory_lock($1)", number)
            try:
                yield
            finally:
                await blocker.execute("SELECT pg_advisory_unlock($1)", number)

    async def _wanted(self) -> set[str]:
        rows = await self.ingest.owner.fetch(
            "SELECT unnest(ARRAY[upload_path, rejects_path, former_path, rehearsal_path]) AS path"
            " FROM ingest.imports"
        )
        return {row["path"] for row in rows if row["path"] is not None}


async def is_back(scene: Scene, witness: "asyncpg.Connection") -> None:
    """PostgreSQL has ended every session that it had, and takes new ones."""
    await until("the sessions are ended", witness.is_closed)
    connection = await until(
        "PostgreSQL takes sessions",
        lambda: asyncpg.connect(scene.ingest.database.superuser_url),
        bearing=(asyncpg.PostgresError, asyncpg.InterfaceError, OSError),
    )
    await connection.close()
    await scene.ingest.owner.expire_connections()
