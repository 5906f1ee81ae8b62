"""The receiver in the guide, as a reader starts it."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from deploy.local.environment import ROOT
from deploy.local.processes import free_port
from tests.ingest.driving import Ingest
from tests.ingest.webhooks.driving import registered
from tests.support.waiting import until


def started(program: Path, log: Path, secret: str) -> "subprocess.Popen[bytes]":
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, str(program)],
            env={**os.environ, "SECRET": secret},
            stdout=output,
            stderr=subprocess.DEVNULL,
        )


async def test_the_receiver_of_the_guide_takes_real_messages_and_no_forged_ones(
    ingest: Ingest, tmp_path: Path
) -> None:
    text = (ROOT / "docs" / "recurring.md").read_text()
    (code,) = re.findall(
        r"^cat > walk-receiver.py <<'END'\n(.*?)^END$", text, re.MULTILINE | re.DOTALL
    )
    port = free_port()
    program = tmp_path / "receiver.py"
    program.write_text(code.replace("9002", str(port)))
    url = f"http://127.0.0.1:{port}/"
    webhook = await registered(ingest, url, "import.succeeded")
    log = tmp_path / "log"
    receiver = started(program, log, webhook["secret"])
    try:
        async with httpx2.AsyncClient(trust_env=False) as http:

            async def is_up() -> bool:
                return (await http.get(url)).status_code == 501

            await until("the receiver", is_up, bearing=(httpx2.TransportError,))
            forged = {
                "webhook-id": "msg_1",
                "webhook-timestamp": "1",
                "webhook-signature": "v1,eA==",
            }
            with pytest.raises(httpx2.TransportError):  # it hangs up
                await http.post(url, json={"type": "import.succeeded"}, headers=forged)
        async with ingest.working():
            await ingest.finished(await ingest.submit(b"name,age\nAnn,1\nBob,old\n"))
            await ingest.until("SELECT state = 'succeeded' FROM ingest.webhook_deliveries")
    finally:
        receiver.kill()
        await asyncio.to_thread(receiver.wait)
    (line,) = log.read_text().splitlines()
    assert line.startswith("import.succeeded people {'read': 2, 'loaded': 1, 'rejected': 1")
