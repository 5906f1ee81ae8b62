"""`alembic` by hand: it works, or one line says how."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from migrations.__main__ import ROOT
from migrations.bootstrap import SERVICES
from tests.support.databases import PASSWORD, Database, drop_database, make_database
from tests.support.profile import only_in_full

ALEMBIC = Path(sys.executable).with_name("alembic")


def alembic(*arguments: str, url: str | None = None) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    return subprocess.run(
        [str(ALEMBIC), "-c", str(ROOT / "alembic.ini"), *arguments],
        env=environment if url is None else {**environment, "DATABASE_URL": url},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


@only_in_full
@pytest.mark.parametrize(
    ("arguments", "url", "line"),
    [
        (("upgrade", "head"), None, "name a section: alembic -n auth|catalog|records|ingest"),
        (("-n", "auth", "upgrade", "head"), None, "set DATABASE_URL to the owner's log-in"),
        (("-n", "auth", "current"), "mysql://a:geheim@host/x", "DATABASE_URL: it begins with"),
        (("-n", "auth", "current"), "postgresql://a:geheim@127.0.0.1:1/x", "no connection"),
        (("-n", "auth", "upgrade", "head", "--sql"), None, "there is no --sql"),
    ],
)
def test_what_cannot_work_is_one_line_that_says_how(
    arguments: tuple[str, ...], url: str | None, line: str
) -> None:
    done = alembic(*arguments, url=url)
    assert done.returncode != 0
    (only,) = (done.stdout + done.stderr).splitlines()
    assert line in only
    assert "geheim" not in only


def bootstrap(url: str) -> "subprocess.CompletedProcess[str]":
    passwords = {f"{service.upper()}_DB_PASSWORD": PASSWORD for service in SERVICES}
    return subprocess.run(
        [sys.executable, "-m", "migrations", "bootstrap"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url, **passwords},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://a:geheim@127.0.0.1:1/x", "Connect call failed"),
        ("postgresql://a:geheim@127.0.0.1:PORT/x", 'authentication failed for user "a"'),
        ("postgresql://a:geheim@127.0.0.1:PORT/x?sslmode=require", "rejected SSL upgrade"),
    ],
)
def test_a_database_that_is_not_to_be_had_is_one_line_that_names_the_setting(
    template: Database, url: str, reason: str
) -> None:
    done = bootstrap(url.replace("PORT", str(template.cluster.port)))
    assert done.returncode == 1
    (only,) = (done.stdout + done.stderr).splitlines()
    assert only.startswith("migrations: DATABASE_URL: no connection (")
    assert reason in only
    assert "geheim" not in only


@pytest.fixture
def empty(template: Database) -> Iterator[Database]:
    """A database without anything of ours."""
    made = asyncio.run(make_database(template.cluster, "by_hand"))
    yield made
    asyncio.run(drop_database(made))


@only_in_full
def test_a_section_by_hand_needs_the_bootstrap_and_then_works(empty: Database) -> None:
    waiting = subprocess.Popen(
        [sys.executable, "-m", "deploy.container.migrated", "ingest"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": empty.url("ingest")},
        stdout=subprocess.PIPE,
        text=True,
    )
    refused = alembic("-n", "catalog", "upgrade", "head", url=empty.url())
    assert "run `python -m migrations bootstrap` first" in refused.stderr + refused.stdout
    assert bootstrap(empty.url()).returncode == 0
    assert waiting.poll() is None
    for service in SERVICES:
        done = alembic("-n", service, "upgrade", "head", url=empty.url())
        assert done.returncode == 0, done.stderr
    assert "(head)" in alembic("-n", "catalog", "current", url=empty.url()).stdout
    assert alembic("-n", "records", "check", url=empty.url()).returncode == 0
    said, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == 0
    assert said.startswith("ingest: waiting for 00")
