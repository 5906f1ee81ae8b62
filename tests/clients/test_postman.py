"""The Postman collection fits the API, and newman takes its walk without a fault."""

import json
import shutil
import subprocess
from pathlib import Path

import httpx2
import pytest

from tests.clients.postman import COLLECTION, METHODS, WALK_FOLDER, written
from tests.clients.walk import WALK
from tests.support.profile import only_in_full
from tests.support.stack import RunningStack

NEWMAN = shutil.which("newman")


def test_the_collection_is_up_to_date(stack: RunningStack) -> None:
    document = httpx2.get(f"{stack.url}/openapi.json", trust_env=False).json()
    assert COLLECTION.read_text() == written(document), (
        "the API's document changed: start the stack, then python -m tests.clients.postman"
    )


def test_every_operation_is_in_the_collection(stack: RunningStack) -> None:
    document = httpx2.get(f"{stack.url}/openapi.json", trust_env=False).json()
    operations = sum(method in METHODS for item in document["paths"].values() for method in item)
    folders = json.loads(COLLECTION.read_text())["item"]
    assert folders[0]["name"] == WALK_FOLDER
    assert len(folders[0]["item"]) == len(WALK)
    assert sum(len(folder["item"]) for folder in folders[1:]) == operations


@only_in_full
@pytest.mark.skipif(NEWMAN is None, reason="newman is not installed: npm install -g newman")
def test_newman_takes_the_walk(stack: RunningStack, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    variables = {"baseUrl": stack.url, **stack.admin}
    done = subprocess.run(
        [
            str(NEWMAN),
            *("run", str(COLLECTION), "--folder", WALK_FOLDER),
            *("--working-dir", str(COLLECTION.parent), "--no-insecure-file-read"),
            *("--reporters", "cli,json", "--reporter-json-export", str(report)),
            *(word for pair in variables.items() for word in ("--env-var", "=".join(pair))),
        ],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    run = json.loads(report.read_text())["run"]
    assert run["failures"] == []
    assert run["stats"]["assertions"]["total"] >= len(WALK)
