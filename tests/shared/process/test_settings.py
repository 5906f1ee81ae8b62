"""What is said at start of a setting that is wrong, and of a name that is none."""

import os
import subprocess
import sys

import pytest

from tests.support.profile import only_in_full

RIGHT = {
    "DATABASE_URL": "postgresql://auth:geheim@127.0.0.1:1/tabularium",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    **{f"{service}_URL": "http://127.0.0.1:1" for service in ("AUTH", "CATALOG", "RECORDS")},
    "INGEST_URL": "http://127.0.0.1:1",
    "SERVICE_CLIENT_ID": "catalog",
    "SERVICE_CLIENT_SECRET": "geheim",
}


def start(**environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", "import services.catalog.main as m; m.create_app()"],
        env={"PATH": os.environ["PATH"], **RIGHT, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@only_in_full
@pytest.mark.parametrize(
    ("setting", "value", "line"),
    [
        ("DATABASE_URL", "postgresql://a:geheim@host/x?sslmode=on-monday", "DATABASE_URL: sslmode"),
        ("REDIS_URL", "https://geheim@host", "REDIS_URL: it begins with redis://"),
        ("REDIS_URL", "redis+sentinel://host:26379", "REDIS_URL: a Sentinel's URL ends with"),
        ("DATABASE_POOL_SIZE", "many", "DATABASE_POOL_SIZE: "),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(setting: str, value: str, line: str) -> None:
    started = start(**{setting: value})
    assert started.returncode == 2
    (only,) = started.stderr.splitlines()
    assert only.startswith(line)
    assert "geheim" not in only


@only_in_full
@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("RUN_RETENTION_DAY", "RUN_RETENTION_DAYS"),
        ("DATABASE_POOLSIZE", "DATABASE_POOL_SIZE"),
        ("TABULARIUM_LOG_LEVEL", "LOG_LEVEL"),
    ],
)
def test_a_name_that_resembles_a_setting_is_ignored_and_named(name: str, meant: str) -> None:
    started = start(**{name: "geheim"})
    assert started.returncode == 0, started.stderr
    (line,) = started.stderr.splitlines()
    assert line == f"{name} is not a setting and is ignored; did you mean {meant}?"


@only_in_full
@pytest.mark.parametrize(
    "name", ["WORKER_CONCURRENCY", "UNDO_RETENTION_DAYS", "log_level", "HOSTNAME", "REDIS_PORT"]
)
def test_other_processes_settings_and_other_programs_names_are_no_ones_mistake(name: str) -> None:
    assert start(**{name: "INFO"}).stderr == ""
