"""Every command that CONTRIBUTING.md shows is one that runs."""

import re
import shlex
import subprocess
from typing import Any

import pytest

from deploy.local.environment import ROOT
from tests.support.profile import only_in_full

BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands() -> list[Any]:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    lines = (line for block in BLOCK.findall(text) for line in block.splitlines())
    found = (line.partition("#")[0].strip() for line in lines)
    # To collect tests takes as long as to import all that they import.
    return [pytest.param(line, marks=only_in_full if "pytest" in line else ()) for line in found]


@pytest.mark.parametrize("command", commands())
def test_a_command_runs(command: str) -> None:
    words = shlex.split(command)
    if words[0] == "make":
        words.insert(1, "--dry-run")  # that the target exists; this test may be part of it
    if "pytest" in words:
        words += ["--collect-only", "--quiet"]  # exits 5 where no test is meant by it
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_files_that_are_named_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    for name in re.findall(r"`((?:\w+/)+\w+\.\w+)`", text):
        places = [ROOT / name, *(ROOT / "services" / service / name for service in ("ingest",))]
        assert any(place.exists() for place in places), name
