"""The lock file can be used anywhere: it names the public index and nothing else."""

import re
from pathlib import Path

LOCK = Path(__file__).resolve().parents[2] / "uv.lock"


def test_the_lock_names_no_host_but_the_public_index() -> None:
    hosts = set(re.findall(r"https?://([^/\"\s]+)", LOCK.read_text()))
    assert hosts == {"pypi.org", "files.pythonhosted.org"}
