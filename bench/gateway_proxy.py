"""The gateway against nginx (1 worker), in front of the same service, in one run.

Pages of 25 rows over 16 connections (wrk), and 1 GiB up and down. The gateway counts its rate
limits in a real Valkey as always; the limits are only set too high to be met.
Where granian is installed, the same application is also measured on that server.
Needs nginx and wrk (Debian: `apt-get install nginx wrk`); says so and stops where they are missing.
"""

import contextlib
import importlib.util
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from bench.gateway_upstream import GIGABYTE, JWKS_VARIABLE
from bench.results import Section, machine
from deploy.local.processes import free_port
from deploy.local.valkey import Valkey, find_server
from tests.support.issuer import new_issuer, person
from tests.support.stack import running_stack

PAGE = "/api/tables/people/records?limit=25"
EXPORT = "/api/tables/people/export"
UPLOAD = "/api/imports"
ROUNDS = 7
PAGES_S = 2
BLOCK = b"x" * (1 << 18)
GRANIAN = importlib.util.find_spec("granian") is not None
ISSUER = new_issuer()
UNLIMITED = {
    "RATE_LIMIT_REQUESTS_PER_S": "1000000",
    "RATE_LIMIT_REQUESTS_BURST": "1000000000",
}

NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_max_body_size 0;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream service {{ server 127.0.0.1:{upstream}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://service;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_request_buffering off;
      proxy_max_temp_file_size 0;
    }}
  }}
}}
"""


@contextmanager
def process(command: list[str], *, port: int, **environment: str) -> Iterator[None]:
    """A server, from when it listens until it is stopped."""
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=quiet, stderr=quiet
    ) as running:
        try:
            deadline = time.monotonic() + 20
            while not listens(port):
                if running.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"did not start: {' '.join(command)}")
                time.sleep(0.05)
            yield
        finally:
            running.terminate()


@contextmanager
def in_front_of_records() -> Iterator[tuple[dict[str, int], str]]:
    """The real stack: ports of the records service, of an nginx and of the gateway; and a token."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        with running_stack(folder / "state", settings=UNLIMITED) as stack:
            with stack.signed_in() as http:
                columns = [{"name": column, "type": type_} for column, type_ in COLUMNS.items()]
                made = http.post("/api/tables", json={"name": "people", "columns": columns})
                assert made.status_code == 201, made.text
                filled = http.post("/api/tables/people/records", json=list(people(1000)))
                assert filled.status_code == 201, filled.text
                token = str(http.headers["Authorization"])
            service = urlsplit(stack.facts["services"]["records"]).port
            gateway = urlsplit(stack.url).port
            assert service
            assert gateway
            ports = {"service": service, "nginx": free_port(), "gateway": gateway}
            with nginx_in(folder, ports):
                yield ports, token


COLUMNS = {
    "name": "TEXT",
    "email": "TEXT",
    "born": "DATE",
    "seen_at": "TIMESTAMPTZ",
    "age": "INTEGER",
    "balance": "NUMERIC(12,2)",
    "active": "BOOLEAN",
    "city": "TEXT",
    "note": "TEXT",
    "points": "BIGINT",
}


def people(count: int) -> Iterator[dict[str, object]]:
    for number in range(count):
        yield {
            "name": f"Person {number}",
            "email": f"person{number}@example.com",
            "born": "1987-05-04",
            "seen_at": "2026-11-21T08:15:00Z",
            "age": number % 90,
            "balance": "1024.50",
            "active": number % 2 == 0,
            "city": "Torino",
            "note": 'a text with commas, and "quotes"',
            "points": 12345678901 + number,
        }


@contextmanager
def nginx_in(folder: Path, ports: dict[str, int]) -> Iterator[None]:
    configuration = folder / "nginx.conf"
    configuration.write_text(
        NGINX.format(folder=folder, upstream=ports["service"], port=ports["nginx"])
    )
    command = [found("nginx") or "nginx", "-c", str(configuration)]
    with process(command, port=ports["nginx"]):
        yield


def on_granian(
    ports: dict[str, int], environment: dict[str, str]
) -> contextlib.AbstractContextManager[None]:
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--loop", "uvloop"]
    command += ["--factory", "gateway.main:create_app", "--no-ws", "--http", "1"]
    command += ["--port", str(ports["granian"])]
    return process(command, port=ports["granian"], **environment)


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@contextmanager
def in_front_of(application: str, *, factory: bool = False) -> Iterator[dict[str, int]]:
    """Ports by name: `service` itself, `nginx`, `gateway`, and perhaps `granian`."""
    names = ["service", "nginx", "gateway", *(["granian"] if GRANIAN else [])]
    ports = {name: free_port() for name in names}
    url = f"http://127.0.0.1:{ports['service']}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        valkey = Valkey(server=find_server(), folder=folder)
        valkey.start()
        environment = {
            "HOST": "127.0.0.1",
            "PORT": str(ports["gateway"]),
            "REDIS_URL": valkey.url,
            **{f"{service}_URL": url for service in ("AUTH", "CATALOG", "RECORDS", "INGEST")},
            "LOG_FORMAT": "json",
            JWKS_VARIABLE: json.dumps(ISSUER.jwks()),
            **UNLIMITED,
        }
        uvicorn = [sys.executable, "-m", "uvicorn", application, "--no-access-log"]
        uvicorn += ["--port", str(ports["service"]), *(["--factory"] if factory else [])]
        gateway = [sys.executable, "-m", "gateway"]
        try:
            with (
                process(uvicorn, port=ports["service"], **environment),
                nginx_in(folder, ports),
                process(gateway, port=ports["gateway"], **environment),
                on_granian(ports, environment) if GRANIAN else contextlib.nullcontext(),
            ):
                yield ports
        finally:
            valkey.stop()


def bearer() -> str:
    return ISSUER.bearer(person("bench@example.com"))["Authorization"]


def pages_per_s(port: int, *, token: str = "") -> float:
    token = token or bearer()
    command = ["wrk", "-t1", "-c16", f"-d{PAGES_S}s", "-H", f"Authorization: {token}"]
    command.append(f"http://127.0.0.1:{port}{PAGE}")
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        sys.exit(said)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert rate, said
    return float(rate[1])


def download_mib_per_s(port: int) -> float:
    with socket.create_connection(("127.0.0.1", port)) as client:
        started = time.perf_counter()
        head = f"GET {EXPORT} HTTP/1.1\r\nHost: a\r\nAuthorization: {bearer()}\r\n"
        client.sendall(f"{head}Connection: close\r\n\r\n".encode())
        buffer, received = bytearray(1 << 20), 0
        while count := client.recv_into(buffer):
            received += count
    assert received > GIGABYTE, received
    return 1024 / (time.perf_counter() - started)


def upload_mib_per_s(port: int) -> float:
    with socket.create_connection(("127.0.0.1", port)) as client:
        started = time.perf_counter()
        head = f"POST {UPLOAD} HTTP/1.1\r\nHost: a\r\nAuthorization: {bearer()}\r\n"
        head += "Connection: close\r\n"
        client.sendall(f"{head}Content-Length: {GIGABYTE}\r\n\r\n".encode())
        for _ in range(GIGABYTE // len(BLOCK)):
            client.sendall(BLOCK)
        answer = b""
        while part := client.recv(65536):
            answer += part
    assert str(GIGABYTE).encode() in answer, answer
    return 1024 / (time.perf_counter() - started)


def compared(
    ports: dict[str, int], measure: Callable[[int], float], *, rounds: int
) -> dict[str, list[float]]:
    """All in turn, round by round, so that what disturbs the machine disturbs all of them."""
    figures: dict[str, list[float]] = {name: [] for name in ports}
    for port in ports.values():
        measure(port)
    for _ in range(rounds):
        for name, port in ports.items():
            figures[name].append(measure(port))
    return figures


def row(what: str, unit: str, figures: dict[str, list[float]]) -> list[str]:
    medians = {name: statistics.median(values) for name, values in figures.items()}
    return [
        what,
        f"{medians['service']:,.0f}",
        f"{medians['nginx']:,.0f}",
        f"{medians['gateway']:,.0f}",
        unit,
        f"**{ratio(figures, 'gateway')}**",
        ratio(figures, "granian") if "granian" in figures else "",
    ]


def ratio(figures: dict[str, list[float]], name: str) -> str:
    """Against nginx: the median of the rounds, and the least and greatest."""
    ratios = sorted(a / b for a, b in zip(figures[name], figures["nginx"], strict=True))
    return f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"


def found(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def main() -> None:
    missing = [name for name in ("nginx", "wrk") if not found(name)]
    if missing:
        print(f"skipped: {' and '.join(missing)} not found (apt-get install nginx wrk)")
        return
    rows = []
    with in_front_of_records() as (ports, token):
        figures = compared(ports, partial(pages_per_s, token=token), rounds=ROUNDS)
        rows.append(row("25-row pages, the records service", "pages/s", figures))
    with in_front_of("bench.gateway_upstream:service", factory=True) as ports:
        figures = compared(ports, pages_per_s, rounds=ROUNDS)
        rows.append(row("25-row pages, a service built as ours", "pages/s", figures))
    with in_front_of("bench.gateway_upstream:app") as ports:
        figures = compared(ports, pages_per_s, rounds=3)
        rows.append(row("25-row pages, bare ASGI that does nothing", "pages/s", figures))
        figures = compared(ports, download_mib_per_s, rounds=5)
        rows.append(row("1 GiB download", "MiB/s", figures))
        figures = compared(ports, upload_mib_per_s, rounds=5)
        rows.append(row("1 GiB upload", "MiB/s", figures))
    results = Section("gateway", "The gateway against nginx")
    results.say(
        f"`python -m bench gateway_proxy`, {machine()}. nginx with one worker, the gateway as one"
        " process with rate limits counted in Valkey, the service as one uvicorn process; pages by"
        f" wrk with 16 connections for {PAGES_S} s. All take turns; medians, and the median (least"
        " to greatest) of the ratios of one round."
    )
    head = ["", "no proxy", "nginx", "gateway", "", "gateway / nginx", "on granian / nginx"]
    results.table(head, rows)
    results.say(
        f"Load average at the end: {os.getloadavg()[0]:.1f}. With other work on the two cores the"
        " gateway, which takes more of them than nginx, loses more."
    )
    results.write()


if __name__ == "__main__":
    main()
