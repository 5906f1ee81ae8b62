"""The gateway as it is run: a process of its own."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from deploy.local.processes import free_port
from deploy.local.valkey import Valkey
from tests.gateway.peers import ISSUER, FakeService, open_events, part, start
from tests.support.issuer import person
from tests.support.profile import only_in_full
from tests.support.waiting import until


def environment(url: str, valkey: Valkey, **settings: str) -> dict[str, str]:
    services = {f"{name}_URL": url for name in ("AUTH", "CATALOG", "RECORDS", "INGEST")}
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return kept | services | {"REDIS_URL": valkey.url, "LOG_FORMAT": "json"} | settings


@asynccontextmanager
async def gateway_process(
    service: FakeService, valkey: Valkey, **settings: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, aiohttp.ClientSession]]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway"),
        env=environment(service.url, valkey, PORT=str(port), **settings),
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        headers = ISSUER.bearer(person("ann@example.com"))
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as http:

            async def is_alive() -> bool:
                assert process.returncode is None
                async with http.get("/healthz") as answer:
                    return answer.status == 200

            await until("it answers", is_alive, bearing=(aiohttp.ClientConnectorError,))
            yield process, http
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_sigterm_ends_streams_finishes_requests_and_exits_well(
    service: FakeService, valkey_server: Valkey
) -> None:
    finish, asked = asyncio.Event(), asyncio.Event()

    async def slow(_scope: Any, _receive: Any, send: Any) -> None:
        await start(send)
        await part(send, b"first ")
        asked.set()
        await finish.wait()
        await part(send, b"last", more=False)

    service.answers["/api/imports/1/events"] = open_events
    service.answers["/api/tables/x/export"] = slow
    async with gateway_process(service, valkey_server) as (process, http):
        stream = await http.get("/api/imports/1/events")
        await stream.content.readuntil(b"\n\n")
        download = await http.get("/api/tables/x/export")
        await asked.wait()
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            assert await stream.content.read() == b""
            finish.set()
            assert await download.read() == b"first last"
            assert await process.wait() in (0, -signal.SIGTERM)


@only_in_full
def test_settings_that_do_not_hold_are_named(valkey_server: Valkey) -> None:
    wrong = environment(
        "http://127.0.0.1:1", valkey_server, PORT="many", TRUSTED_PROXIES="10.0.0.0/99"
    )
    del wrong["RECORDS_URL"]
    done = subprocess.run(
        [sys.executable, "-m", "gateway"], env=wrong, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    names = {line.partition(":")[0] for line in done.stderr.splitlines()}
    assert names == {"RECORDS_URL", "PORT", "TRUSTED_PROXIES"}


@only_in_full
def test_admins_without_a_mail_server_are_a_mistake(valkey_server: Valkey) -> None:
    wrong = environment("http://127.0.0.1:1", valkey_server, ADMIN_EMAILS="root@example.com")
    done = subprocess.run(
        [sys.executable, "-m", "gateway"], env=wrong, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("SMTP_HOST:")
