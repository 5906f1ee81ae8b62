"""What an operator sees: traces from the gateway to PostgreSQL, metrics of each process, alerts.

One stack of its own sends traces to a receiver and has its metrics on six ports.
"""

import json
import re
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
import yaml

from deploy.local.environment import MEASURED, ROOT, with_log_in
from deploy.local.processes import free_port
from deploy.local.state import load_secrets
from tests.support.imports import finished, submit
from tests.support.otlp import Receiver, receiving
from tests.support.profile import only_in_full
from tests.support.stack import RunningStack, running_stack
from tests.support.waiting import until, until_now

FOLDER = ROOT / "deploy" / "observability"
ROWS = b"name,born\nAnn,1990-01-31\nBob,never\n"
NAMES = re.compile(r"\b(?:tabularium|process)_[a-z_]+\b")
LABELS = re.compile(r'\b([a-z_]+)\s*(?:=~|!~|!=|=)\s*"')
GIVEN_BY_SCRAPING = {"job", "process", "instance"}
MAY_BE_EMPTY = ("upstream_failures", "rate_limited", "broken_off", 'status=~"5..', "topk")
"""Queries about what does not happen on a stack that is well."""


@dataclass(frozen=True)
class Watched:
    """A stack, what it sends, and an import that it did."""

    stack: RunningStack
    receiver: Receiver
    import_: dict[str, Any]
    trace_id: str
    caller_span: str

    def metrics(self, process: str) -> str:
        port = self.stack.facts["metrics_ports"][process]
        text: str = httpx2.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
        return text


def six_ports() -> int:
    """A port that is free, and so are the five above it."""

    def first_of_six() -> int:
        port = free_port()
        try:
            with ExitStack() as held:
                for number in range(port, port + len(MEASURED)):
                    held.enter_context(socket.create_server(("127.0.0.1", number)))
        except OSError:
            return 0
        return port

    port: int = until_now("six ports in a row are free", first_of_six)
    return port


@pytest.fixture(scope="module")
def watched(state_folder: Path) -> Iterator[Watched]:
    settings = {"METRICS_PORT": str(six_ports()), "OTEL_BSP_SCHEDULE_DELAY": "200"}
    with (
        receiving() as receiver,
        running_stack(
            state_folder / "watched",
            settings={**settings, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url},
        ) as stack,
        stack.signed_in() as http,
    ):
        body = {"table_name": "people", "fields": {"name": "TEXT", "born": "DATE"}}
        assert http.post("/api/create-table", json=body).status_code == 201
        trace_id, caller_span = secrets.token_hex(16), secrets.token_hex(8)
        http.headers["traceparent"] = f"00-{trace_id}-{caller_span}-01"
        done = finished(http, submit(http, "people", ROWS))
        assert done["state"] == "succeeded"
        yield Watched(stack, receiver, done, trace_id, caller_span)


@only_in_full
def test_a_trace_goes_from_the_caller_through_gateway_and_service_to_the_load(
    watched: Watched,
) -> None:
    number = watched.import_["id"]
    name = f"tabularium-ingest:import:{number}"
    load = watched.receiver.span(
        "the load's span has arrived",
        lambda span: span.attributes.get("tabularium.application_name") == name,
    )
    way = [load]
    while way[-1].parent_id != watched.caller_span:
        way.append(watched.receiver.above(way[-1]))
    assert [(span.service, span.name) for span in way] == [
        ("tabularium-ingest-worker", "load people"),
        ("tabularium-ingest-worker", "import file"),
        ("tabularium-ingest", "transaction"),
        ("tabularium-ingest", "POST /api/imports"),
        ("tabularium-gateway", "POST /api/imports"),
    ]
    assert {span.trace_id for span in way} == {watched.trace_id}
    imported, submitted = way[1].attributes, way[-1].attributes
    assert imported["tabularium.import_id"] == number
    assert (imported["tabularium.rows.loaded"], imported["tabularium.rows.rejected"]) == (1, 1)
    assert submitted["http.response.status_code"] == 202
    services = {span.service for span in watched.receiver.of_trace(watched.trace_id)}
    assert "tabularium-records" in services  # the worker asked it for the table's contract


@only_in_full
async def test_a_load_has_the_name_of_its_span_in_postgresql(watched: Watched) -> None:
    password = load_secrets(watched.stack.state).database_passwords["records"]
    url = with_log_in(watched.stack.facts["owner_url"], "records", password)
    records = await asyncpg.connect(url)
    # Not the session that holds: pg_stat_activity stays the same through a transaction.
    looking = await asyncpg.connect(url)
    with watched.stack.signed_in() as http:
        body = {"table_name": "held", "fields": {"name": "TEXT UNIQUE"}}
        assert http.post("/api/create-table", json=body).status_code == 201
        trace_id = secrets.token_hex(16)
        http.headers["traceparent"] = f"00-{trace_id}-{watched.caller_span}-01"
        transaction = records.transaction()
        await transaction.start()
        await records.execute("INSERT INTO data.held (name) VALUES ('Ann')")
        import_ = submit(http, "held", b"name\nAnn\n")
        name = f"tabularium-ingest:import:{import_['id']}"

        async def waits() -> bool:
            import_now = http.get(import_["links"]["self"]).json()
            assert import_now["state"] in ("queued", "running"), import_now
            return bool(
                await looking.fetchval(
                    "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1"
                    " AND $2 = ANY(pg_blocking_pids(pid))",
                    name,
                    records.get_server_pid(),
                )
            )

        await until("the load waits for the row in a session of its name", waits, timeout_s=90)
        await transaction.rollback()
        await records.close()
        await looking.close()
        assert finished(http, import_)["state"] == "succeeded"
    load = watched.receiver.span(
        "the load's span has arrived",
        lambda span: span.attributes.get("tabularium.application_name") == name,
    )
    assert load.trace_id == trace_id


@only_in_full
def test_a_request_without_an_id_has_its_traces_and_so_has_its_session(watched: Watched) -> None:
    with watched.stack.signed_in() as http:
        body = {"table_name": "of_a_trace", "fields": {"name": "TEXT"}}
        answer = http.post("/api/create-table", json=body)
    request_id = answer.headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{32}", request_id)
    name = f"tabularium-records:{request_id}"
    transaction = watched.receiver.span(
        "the transaction's span has arrived",
        lambda span: span.attributes.get("tabularium.application_name") == name,
    )
    assert transaction.trace_id == request_id
    assert not any("/healthz" in span.name for span in watched.receiver.spans)


@only_in_full
def test_a_failed_import_says_why_and_no_span_holds_what_people_sent(watched: Watched) -> None:
    with watched.stack.signed_in() as http:
        failed = finished(http, submit(http, "people", b"name,born\nSecretName,never\n"))
    assert failed["state"] == "failed"

    span = watched.receiver.span(
        "its span has arrived",
        lambda span: span.attributes.get("tabularium.import_id") == failed["id"],
    )
    assert span.attributes["error.type"] == "no_row_fits"
    sent = json.dumps([[s.name, s.attributes] for s in watched.receiver.spans])
    assert "SecretName" not in sent
    assert "eyJ" not in sent  # how every access token begins
    assert watched.stack.admin["password"] not in sent


@only_in_full
def test_each_process_has_its_metrics_on_its_own_port_alone(watched: Watched) -> None:
    for process in MEASURED:
        assert "process_resident_memory_bytes" in watched.metrics(process)
    for url in (watched.stack.url, *watched.stack.facts["services"].values()):
        assert httpx2.get(f"{url}/metrics", trust_env=False).status_code == 404
    worker = watched.metrics("worker")
    assert 'tabularium_worker_attempts_total{kind="file",result="succeeded"} ' in worker
    assert "tabularium_worker_imports_running 0.0" in worker
    with watched.stack.signed_in() as http:
        succeeded = http.get("/api/imports", params={"state": "succeeded"}).json()["items"]
    assert watched.import_["id"] in [import_["id"] for import_ in succeeded]
    figure = f'tabularium_imports{{state="succeeded"}} {len(succeeded)}.0'
    until_now("the queue's figures are there", lambda: figure in watched.metrics("ingest"))


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((FOLDER / "alerts.yml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def panels() -> list[tuple[str, str]]:
    document = json.loads((FOLDER / "dashboard.json").read_text())
    return [
        (f"{panel['title']} {target['refId']}", target["expr"])
        for panel in document["panels"]
        for target in panel["targets"]
    ]


@only_in_full
def test_what_dashboard_and_alerts_ask_for_is_there(watched: Watched) -> None:
    text = "".join(watched.metrics(process) for process in MEASURED)
    named = set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE))
    named |= {f"{name}{end}" for name in named for end in ("_bucket", "_count", "_sum")}
    labels = set(re.findall(r'([a-z_]+)="', text)) | GIVEN_BY_SCRAPING
    labels |= {"kind", "upstream", "limit", "because"}  # of what has not happened yet
    queries = [*panels(), *((rule["alert"], rule["expr"]) for rule in rules())]
    assert len(queries) > 25
    for title, query in queries:
        used = set(NAMES.findall(query))
        assert used - named <= GIVEN_BY_SCRAPING, title
        assert set(LABELS.findall(query)) <= labels, title


def test_every_alert_stands_in_the_operations_page() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    assert [rule["alert"] for rule in rules() if f"`{rule['alert']}`" not in page] == []


@pytest.mark.skipif(
    not shutil.which("promtool"), reason="promtool is not here: apt-get install prometheus"
)
def test_promtool_finds_the_rules_right_and_they_fire_when_they_should() -> None:
    for command in (
        ("check", "rules", "alerts.yml"),
        ("test", "rules", "alerts_test.yml"),
        ("check", "config", "prometheus.yml"),
        ("check", "config", "prometheus.local.yml"),
    ):
        done = subprocess.run(
            ["promtool", *command], cwd=FOLDER, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def prometheus(watched: Watched, folder: Path) -> Iterator[httpx2.Client]:
    """A Prometheus that scrapes the stack as `prometheus.local.yml` says, every second."""
    document = yaml.safe_load((FOLDER / "prometheus.local.yml").read_text())
    document["global"] = {"scrape_interval": "1s"}
    document["rule_files"] = [str(FOLDER / "alerts.yml")]
    for target in document["scrape_configs"][0]["static_configs"]:
        port = watched.stack.facts["metrics_ports"][target["labels"]["process"]]
        target["targets"] = [f"127.0.0.1:{port}"]
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(document))
    port = free_port()
    with (folder / "prometheus.log").open("wb") as output:
        server = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={file}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
            until_now(
                "Prometheus is ready",
                lambda: http.get("/-/ready").status_code == 200,
                bearing=(httpx2.TransportError,),
            )
            yield http
    finally:
        server.terminate()
        server.wait(30)


@only_in_full
@pytest.mark.skipif(
    not shutil.which("prometheus"), reason="prometheus is not here: apt-get install prometheus"
)
def test_prometheus_answers_every_query_from_the_running_stack(
    watched: Watched, tmp_path: Path
) -> None:
    with prometheus(watched, tmp_path) as http:

        def result(query: str) -> Any:
            query = query.replace("$__rate_interval", "1m")
            answer = http.get("/api/v1/query", params={"query": query}).json()
            assert answer["status"] == "success", answer
            return answer["data"]["result"]

        def seen() -> bool:
            return len(result('count_over_time(up{job="tabularium"}[1m]) > 2')) == len(MEASURED)

        until_now("each process was scraped twice", seen)
        for title, query in panels():
            rows = result(query)
            assert rows or any(word in query for word in MAY_BE_EMPTY), title
        for rule in rules():
            assert result(rule["expr"]) == [], rule["alert"]
