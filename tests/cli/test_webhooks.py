"""Webhooks and API keys from the command line."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx2
import jsonschema_rs
import pytest

from tests.cli.conftest import PATIENCE_S, Command
from tests.support.stack import RunningStack
from tests.support.waiting import until_now


@dataclass
class Receiver:
    """Takes whatever is sent."""

    server: HTTPServer
    bodies: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            running.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        running = Receiver(server)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield running
        server.shutdown()
        thread.join()


def test_a_webhook_from_its_first_to_its_last_day(command: Command, receiver: Receiver) -> None:
    made = command("webhook", "add", receiver.url, "-e", "import.failed", "--json").json
    id_ = str(made["id"])
    assert made["secret"].startswith("whsec_")
    assert made["events"] == ["import.failed"]
    listed = command("webhook", "list")
    assert receiver.url in listed.out
    assert made["secret"] not in listed.out
    sent = command("webhook", "test", id_, "--json").json
    until_now("a message", lambda: receiver.bodies, timeout_s=PATIENCE_S)
    until_now(
        "its delivery",
        lambda: "succeeded" in command("webhook", "deliveries", id_).out,
        timeout_s=PATIENCE_S,
    )
    command("webhook", "redeliver", id_, str(sent["id"]))
    until_now("it again", lambda: len(receiver.bodies) == 2, timeout_s=PATIENCE_S)
    assert receiver.bodies[0] == receiver.bodies[1]
    rotated = command("webhook", "rotate", id_).out
    assert "whsec_" in rotated
    assert made["secret"] not in rotated
    assert "disabled (by_hand)" in command("webhook", "change", id_, "--disable").out
    assert "disabled" in command("webhook", "test", id_, code=1).err
    assert "enabled" in command("webhook", "change", id_, "--enable", "-e", "import.failed").out
    command("webhook", "change", id_, code=2)
    command("webhook", "remove", id_)
    assert receiver.url not in command("webhook", "list").out


def test_a_new_table_is_told_by_the_whole_stack(
    command: Command, receiver: Receiver, stack: RunningStack
) -> None:
    id_ = command("webhook", "add", receiver.url, "-e", "table.created", "--json").json["id"]
    command("tables", "create", "Told", "name:TEXT")

    def about_it() -> list[Any]:
        # Tables that earlier tests made may be told as late as this.
        messages = [json.loads(body) for body in receiver.bodies]
        return [one for one in messages if one["data"]["name"] == "Told"]

    (message,) = until_now("a message", about_it, timeout_s=PATIENCE_S)
    document = httpx2.get(f"{stack.url}/openapi.json", trust_env=False).json()
    shown = document["webhooks"]["table.created"]["post"]["requestBody"]["content"]
    schema = {**shown["application/json"]["schema"], "components": document["components"]}
    jsonschema_rs.validate(schema, message)
    assert message["data"] == command("tables", "show", "Told", "--json").json
    command("webhook", "remove", str(id_))


def test_what_the_server_refuses_is_one_line(command: Command) -> None:
    refused = command("webhook", "add", "http://10.0.0.1/", code=1)
    assert len(refused.err.splitlines()) == 1
    assert "url" in refused.err
    unknown = command("webhook", "add", "https://example.com/", "-e", "import.done", code=1)
    assert "import.failed" in unknown.err


def test_a_key_opens_what_it_says_until_it_is_revoked(command: Command) -> None:
    made = command("key", "add", "nightly", "-s", "tables:read", "--until", "2027-06-30", "--json")
    assert made.json["expires_at"].startswith("2027-06-30T00:00:00")
    key = {"TABULARIUM_TOKEN": made.json["key"]}
    command("tables", "list", settings=key)
    command("imports", "list", settings=key, code=1)
    listed = command("key", "list")
    assert "nightly" in listed.out
    assert made.json["key"] not in listed.out
    command("key", "remove", made.json["id"])
    assert "nightly" not in command("key", "list").out
    text = command("key", "add", "other", "-s", "imports:write").out
    assert text.startswith("tab_")
