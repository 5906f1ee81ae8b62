"""What every service has in common: health, the error envelope, an OpenAPI document."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from shared import __version__
from tests.support.stack import RunningStack

KEY_IS_PROOF = "/internal/api-keys/exchange"
NAMES_NOBODY = "/internal/revocations"
SERVICES = ("auth", "catalog", "records", "ingest")


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest, stack: RunningStack) -> Iterator[httpx2.Client]:
    url = stack.facts["services"][request.param]
    with httpx2.Client(base_url=url, trust_env=False, timeout=10) as http:
        yield http


def test_it_is_alive_and_ready(service: httpx2.Client) -> None:
    assert service.get("/healthz").json() == {"status": "ok", "version": __version__}
    ready = service.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["checks"]["postgresql"] == "ok"


def test_it_counts_its_requests(service: httpx2.Client) -> None:
    service.get("/nowhere")
    assert 'tabularium_http_request_seconds_count{method="GET"' in service.get("/metrics").text


def test_an_unknown_path_is_a_problem_with_the_request_id(service: httpx2.Client) -> None:
    answer = service.get("/nowhere", headers={"X-Request-ID": "mine-1"})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == "mine-1"
    problem = answer.json()
    assert set(problem) >= {"type", "title", "status", "detail", "code", "request_id"}
    assert (problem["status"], problem["code"]) == (404, "not_found")
    assert problem["request_id"] == "mine-1"


def test_a_forged_request_id_is_replaced(service: httpx2.Client) -> None:
    answer = service.get("/nowhere", headers={"X-Request-ID": "mine; drop"})
    assert answer.headers["x-request-id"] != "mine; drop"


def test_its_document_is_openapi_3_1_with_described_operations(service: httpx2.Client) -> None:
    document = service.get("/internal/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["operationId"], where
            assert operation.get("summary"), where
            assert operation.get("tags") or path.startswith("/internal/"), where


def test_internal_paths_want_the_internal_scope(
    service: httpx2.Client, stack: RunningStack
) -> None:
    with stack.signed_in() as person:
        token = person.headers["Authorization"]
    document = service.get("/internal/openapi.json").json()
    internal = {path for path in document["paths"] if path.startswith("/internal/")}
    for path in internal - {KEY_IS_PROOF, NAMES_NOBODY}:
        for method in document["paths"][path]:
            filled = path.replace("{table}", "x").replace("{id}", "1")
            bare = service.request(method, filled)
            assert bare.status_code == 401, f"{method} {path}"
            as_person = service.request(method, filled, headers={"Authorization": token})
            assert as_person.status_code == 403, f"{method} {path}"


def test_operation_ids_are_unique_over_all_services(stack: RunningStack) -> None:
    seen: dict[str, str] = {}
    for name, url in stack.facts["services"].items():
        document = httpx2.get(f"{url}/internal/openapi.json", trust_env=False).json()
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                where = f"{name} {method} {path}"
                assert operation["operationId"] not in seen, where
                seen[operation["operationId"]] = where
    assert len(seen) > 30


@pytest.mark.parametrize("name", SERVICES)
def test_names_in_paths_are_decoded_after_routing(name: str) -> None:
    """A path parameter is a `segment`, or an id; a plain name would keep its `%2F`."""
    for file in (Path(__file__).resolve().parents[2] / "services" / name).rglob("*.py"):
        for line in file.read_text().splitlines():
            if "router." in line and '"/' in line and "{" in line:
                inside = line[line.index('"/') :]
                for part in inside.split("{")[1:]:
                    parameter = part.split("}")[0]
                    assert ":" in parameter or parameter == "id", f"{file.name}: {line.strip()}"
