"""Ports that are kept for their servers, and why a process ended."""

import socket
import sys
from pathlib import Path

import pytest

from deploy.local.processes import free_port
from deploy.local.supervisor import last_words

STARTED = '{"event": "Started server process", "level": "info"}'
TAKEN = '{"event": "[Errno 98] address already in use", "level": "error"}'
ENDED = '{"event": "Application shutdown complete.", "level": "info"}'


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone keeps a port so")
def test_a_port_is_kept_for_its_server() -> None:
    port = free_port()
    with socket.socket() as other, pytest.raises(OSError, match="Address already in use"):
        other.bind(("127.0.0.1", port))
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", port)) != 0
    with socket.create_server(("127.0.0.1", port)), socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", port)) == 0


def test_no_port_is_given_out_twice() -> None:
    ports = [free_port() for _ in range(60)]
    assert len(set(ports)) == len(ports)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([STARTED, TAKEN, ENDED], "[Errno 98] address already in use"),
        ([STARTED, TAKEN, "REDIS_URL: it begins with redis://"], "REDIS_URL: it begins with"),
        ([STARTED, '{"event": "broken o'], '{"event": "broken o'),
        ([STARTED, ENDED], "it said nothing"),
        ([], "it said nothing"),
    ],
)
def test_why_a_process_ended_is_its_last_error(
    tmp_path: Path, lines: list[str], words: str
) -> None:
    log = tmp_path / "process.log"
    log.write_text("\n".join(lines))
    assert last_words(log).startswith(words)
