"""The name by which a session says which import it loads."""

import pytest

from shared.contracts.ingest import load_name, loading_import


@pytest.mark.parametrize("import_id", [1, 2**63 - 1])
def test_an_import_is_known_by_its_sessions_name(import_id: int) -> None:
    assert loading_import(load_name(import_id)) == import_id


@pytest.mark.parametrize(
    "name",
    ["", "7", "psql", "tabularium-ingest:worker", "tabularium-ingest:import:", load_name(1) + "x"],
)
def test_other_sessions_load_nothing(name: str) -> None:
    assert loading_import(name) is None
