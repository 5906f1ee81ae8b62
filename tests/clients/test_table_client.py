"""A client generated from one table's document is typed, and sends what it was given."""

import json
from pathlib import Path

from tests.clients.every_type import make_table
from tests.clients.test_python_client import run
from tests.support.profile import only_in_full
from tests.support.stack import RunningStack

CONSUMER = Path(__file__).with_name("table_consumer.py")
PACKAGE = "of_every_type"


@only_in_full
def test_its_types_hold_and_it_sends_what_it_was_given(stack: RunningStack, tmp_path: Path) -> None:
    with stack.signed_in() as http:
        document = make_table(http)
        token = str(http.headers["Authorization"]).removeprefix("Bearer ")
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    said = run(
        *("-m", "openapi_python_client", "generate", "--path", "openapi.json"),
        *("--meta", "none", "--output-path", PACKAGE),
        folder=tmp_path,
    )
    assert "WARNING" not in said.upper(), said
    directive, _, consumer = CONSUMER.read_text().partition("\n")
    assert directive.startswith("# mypy:")
    (tmp_path / "consumer.py").write_text(consumer)
    run(
        *("-m", "mypy", "--strict", "--config-file=", "--follow-imports=silent", "consumer.py"),
        folder=tmp_path,
        path=str(tmp_path),
    )
    run(CONSUMER, stack.url, token, folder=tmp_path, path=str(tmp_path))
