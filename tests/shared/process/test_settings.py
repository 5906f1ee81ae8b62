"""What is said at start of a setting that is wrong."""

import os
import subprocess
import sys

import pytest

RIGHT = {
    "DATABASE_URL": "postgresql://auth:geheim@127.0.0.1:1/tabularium",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    **{f"{service}_URL": "http://127.0.0.1:1" for service in ("AUTH", "CATALOG", "RECORDS")},
    "INGEST_URL": "http://127.0.0.1:1",
    "SERVICE_CLIENT_ID": "catalog",
    "SERVICE_CLIENT_SECRET": "geheim",
}


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
    started = subprocess.run(
        [sys.executable, "-c", "import services.catalog.main as m; m.create_app()"],
        env={"PATH": os.environ["PATH"], **RIGHT, setting: value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert started.returncode == 2
    (only,) = started.stderr.splitlines()
    assert only.startswith(line)
    assert "geheim" not in only
