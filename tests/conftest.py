"""Real PostgreSQL and Valkey for every test; one migrated template, a copy per test or module."""

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Generator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local import postgresql, valkey
from deploy.local.valkey import Valkey
from tests.support.databases import Database, copy_of, make_database, make_owner, migrate
from tests.support.folders import lasting_folder
from tests.support.issuer import Issuer, running_issuer
from tests.support.pooler import THROUGH_POOLER, Pooler, running_pooler
from tests.support.profile import left_out
from tests.support.stack import RunningStack, running_stack

SHARED = ("stack", "machines")
"""Fixtures that take long to make: there is one of each in a run."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What collection makes stays: looking through it for garbage took a third of its time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)  # xdist's own hook reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of one file run in one process, and so do all that use the one stack or machines."""
    without = left_out(items)
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in without])
    items[:] = [item for item in items if item.nodeid not in without]
    for item in items:
        group = min(_shared_by(item), default=item.nodeid.partition("::")[0])
        item.add_marker(pytest.mark.xdist_group(group))
    # The largest groups first: one that began last would be alone at the end.
    items.sort(key=lambda item: not _shared_by(item))


def _shared_by(item: pytest.Item) -> set[str]:
    return set(getattr(item, "fixturenames", ())).intersection(SHARED)


@pytest.fixture(scope="session")
def state_folder() -> Iterator[Path]:
    """For clusters, stacks and what belongs to them."""
    with lasting_folder("tabularium-tests-") as folder:
        yield folder


@pytest.fixture(scope="session")
def cluster(state_folder: Path) -> Iterator[postgresql.Cluster]:
    running = postgresql.prepare(state_folder, durable=False)
    running.initialise()
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def other_cluster() -> Iterator[postgresql.Cluster]:
    """A PostgreSQL that is not ours: our own one may not be imported from."""
    with lasting_folder("tabularium-elsewhere-") as folder:
        running = postgresql.prepare(folder, durable=False)
        running.initialise()
        running.start()
        asyncio.run(make_owner(running))
        yield running
        running.stop()


@pytest.fixture(scope="session")
def pooler(cluster: postgresql.Cluster, state_folder: Path) -> Iterator[Pooler]:
    """PgBouncer before the cluster; skips where there is none."""
    with running_pooler(cluster, state_folder / "pgbouncer") as running:
        yield running


@pytest.fixture(scope="session")
def valkey_server(state_folder: Path) -> Iterator[Valkey]:
    server = Valkey(server=valkey.find_server(), folder=state_folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def template(cluster: postgresql.Cluster, request: pytest.FixtureRequest) -> Database:
    """The migrated template; nobody may stay connected to it.

    `TEST_SERVICES=auth,records` migrates only those, while a schema is being worked on.
    With `TEST_POOLER=1` every log-in to its copies goes by way of PgBouncer.
    """
    asyncio.run(make_owner(cluster))
    database = asyncio.run(make_database(cluster, "tabularium_template"))
    chosen = os.environ.get("TEST_SERVICES")
    migrate(database, *(chosen.split(",") if chosen else ()))
    if THROUGH_POOLER:
        return replace(database, pooler=request.getfixturevalue("pooler"))
    return database


@pytest_asyncio.fixture
async def database(template: Database) -> AsyncIterator[Database]:
    """A database of this test's own."""
    async with copy_of(template) as copy:
        yield copy


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def module_database(template: Database) -> AsyncIterator[Database]:
    """A database shared by one module's tests."""
    async with copy_of(template) as copy:
        yield copy


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def issuer() -> AsyncIterator[Issuer]:
    """A stand-in for auth."""
    async with running_issuer() as running:
        yield running


@pytest.fixture(scope="session")
def stack(state_folder: Path) -> Iterator[RunningStack]:
    """The whole stack through its launcher, shared by the tests that only use it."""
    with running_stack(state_folder / "stack") as running:
        yield running
