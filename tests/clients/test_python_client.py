"""A typed client generated from the document does the main job, and its types hold."""

import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests.support.profile import only_in_full
from tests.support.stack import RunningStack

CONSUMER = Path(__file__).with_name("consumer.py")
PACKAGE = "tabularium_client"
CONFIGURATION = f"""\
package_name_override: {PACKAGE}
project_name_override: {PACKAGE}
content_type_overrides:
  application/offset+octet-stream: application/octet-stream
"""


def run(*command: str | Path, folder: Path, path: str = "") -> str:
    done = subprocess.run(
        [sys.executable, *(str(word) for word in command)],
        cwd=folder,
        env={"PYTHONPATH": path, "MYPYPATH": path, "PATH": str(Path(sys.executable).parent)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the generated package."""
    folder = tmp_path_factory.mktemp("client")
    document = httpx2.get(f"{stack.url}/openapi.json", trust_env=False)
    (folder / "openapi.json").write_bytes(document.content)
    (folder / "config.yaml").write_text(CONFIGURATION)
    said = run(
        *("-m", "openapi_python_client", "generate", "--path", "openapi.json"),
        *("--config", "config.yaml", "--meta", "none", "--output-path", PACKAGE),
        folder=folder,
    )
    # The generator leaves out what it does not understand, and says so.
    assert "WARNING" not in said.upper(), said
    return folder


@only_in_full
def test_its_types_hold(folder: Path) -> None:
    directive, _, consumer = CONSUMER.read_text().partition("\n")
    # Here the package is there, so that one which is not found is an error.
    assert directive.startswith("# mypy:")
    (folder / "consumer.py").write_text(consumer)
    run(
        *("-m", "mypy", "--strict", "--config-file=", "--follow-imports=silent", "consumer.py"),
        folder=folder,
        path=str(folder),
    )


@only_in_full
def test_it_does_the_main_job(folder: Path, stack: RunningStack) -> None:
    log_in = stack.admin
    run(
        CONSUMER,
        *(stack.url, log_in["username"], log_in["password"]),
        folder=folder,
        path=str(folder),
    )
    with stack.signed_in() as http:
        assert http.get("/api/tables/OfTheTypedClient").status_code == 404
        loaded = http.get("/api/imports", params={"table": "OfTheTypedClient"})
    assert loaded.status_code in (200, 404)
