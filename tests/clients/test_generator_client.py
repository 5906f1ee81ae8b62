"""openapi-generator's Python clients are typed and do their work.

The generator (a program in Java, out of its wheel) and what its clients need are fetched into a
folder of the test's own; skipped where they cannot be fetched, or Java is not there.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests.clients.every_type import make_table
from tests.clients.test_python_client import run
from tests.support.imports import finished
from tests.support.profile import only_in_full
from tests.support.stack import RunningStack

CONSUMER = Path(__file__).with_name("generator_consumer.py")
NEEDED = ("openapi-generator-cli==7.26.0", "urllib3", "python-dateutil", "types-python-dateutil")
FILE = b"name,born\nAnn,2001-02-03\nEve,2001-02-30\n"


def fetch(folder: Path) -> None:
    """Install the generator into a folder, or skip the test with the reason."""
    if shutil.which("java") is None:
        pytest.skip("java is not installed")
    uv = Path(sys.executable).with_name("uv")
    command = (uv, "pip", "install", "--python", sys.executable, "--target", folder, *NEEDED)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the generator cannot be fetched: {done.stderr[-300:]}")


def generate(folder: Path, tools: Path, document: str, package: str) -> None:
    jar = next(tools.rglob("openapi-generator*.jar"))
    words = ("generate", "-g", "python", "-i", document, "-o", ".", "--package-name", package)
    command = ("java", "-jar", str(jar), *words)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@only_in_full
def test_their_types_hold_and_they_do_their_work(stack: RunningStack, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    fetch(tools)
    with stack.signed_in() as http:
        (tmp_path / "table.json").write_text(json.dumps(make_table(http)))
        document = httpx2.get(f"{stack.url}/openapi.json", trust_env=False).json()
        # The generator writes webhooks as calls, without types, which Python does not read.
        del document["webhooks"]
        (tmp_path / "api.json").write_text(json.dumps(document))
        generate(tmp_path, tools, "table.json", "of_every_type")
        generate(tmp_path, tools, "api.json", "tabularium_api")
        form = {"table": "OfGenerator", "create_table": "true", "types": '{"born": "DATE"}'}
        sent = http.post("/api/imports", data=form, files={"file": ("e.csv", FILE)})
        assert sent.status_code == 202, sent.text
        assert finished(http, sent.json())["rows"]["rejected"] == 1
        token = str(http.headers["Authorization"]).removeprefix("Bearer ")
        directive, _, consumer = CONSUMER.read_text().partition("\n")
        assert directive.startswith("# mypy:")
        (tmp_path / "consumer.py").write_text(consumer)
        path = f"{tmp_path}:{tools}"
        mypy = ("mypy", "--strict", "--config-file=", "--follow-imports=silent", "consumer.py")
        run("-m", *mypy, folder=tmp_path, path=path)
        import_id = str(sent.json()["id"])
        run(CONSUMER, stack.url, token, import_id, folder=tmp_path, path=path)
        assert http.delete("/api/tables/OfGenerator").status_code == 204
