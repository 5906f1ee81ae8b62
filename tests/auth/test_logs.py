"""Logs say what happened and to whom, and nothing that opens anything."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from tests.auth.driving import PASSWORD, bearer, running_auth, some_address
from tests.support.databases import Database
from tests.support.mailbox import Mailbox


@pytest.fixture
def quiet_afterwards() -> Iterator[None]:
    """What a service sets up for its whole process lasts no longer than the test."""
    root, configured = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.configure(**configured)


@pytest.mark.usefixtures("quiet_afterwards")
async def test_nothing_secret_stands_in_the_logs(
    database: Database,
    mailbox: Mailbox,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    # The mail server of the test writes down every line that it is sent.
    caplog.set_level(logging.WARNING, "mail.log")
    email = "reader@example.com"
    wrong = "a wrong password of somebody"
    async with running_auth(database, mailbox, log_level="DEBUG") as auth:
        user = await auth.add_user()
        pair = await auth.sign_in(user["username"])
        fresh = (await auth.post("/api/token/refresh", {"refresh": pair["refresh"]})).json()
        client = await auth.add_client("tables:read")
        machines = await auth.client_token(client)
        await auth.post("/api/token", {"username": user["username"], "password": wrong})
        # A body that is no JSON, and one of the wrong shape.
        headers = some_address() | {"Content-Type": "application/json"}
        broken = f'{{"username": "x", "password": "{wrong}"'
        await auth.http.post("/api/token", content=broken, headers=headers)
        await auth.post("/api/token", {"username": 7, "password": [wrong]})
        challenge = (await auth.post("/api/auth/otp", {"email": email})).json()["challenge_id"]
        code = str((await mailbox.wait_for_one_to(email))["Subject"])[:6]
        await auth.post("/api/auth/otp/verify", {"challenge_id": challenge, "code": "000000"})
        await auth.post("/api/auth/otp/verify", {"challenge_id": challenge, "code": code})
        # A statement that fails, with the secret among its parameters.
        await auth.sql("ALTER TABLE auth.refresh_tokens RENAME TO away")
        failed = await auth.post("/api/token/refresh", {"refresh": fresh["refresh"]})
        assert failed.status_code == 500
        await auth.sql("ALTER TABLE auth.away RENAME TO refresh_tokens")
        me = await auth.me(pair["access"] + "x")
        assert me.status_code == 401
        await auth.http.get("/api/auth/users", headers=bearer(machines))
    captured = capsys.readouterr()
    written = captured.out + captured.err + caplog.text
    assert "UndefinedTable" in written
    lines = [json.loads(line) for line in captured.out.splitlines() if line.startswith("{")]
    codes = {line["code"] for line in lines if "code" in line}
    assert codes >= {"invalid_credentials", "invalid_input", "invalid_code", "forbidden"}
    for secret in (
        PASSWORD,
        wrong,
        client["secret"],
        machines,
        pair["access"],
        pair["refresh"],
        fresh["refresh"],
        f'"{code}"',
        f" {code}",
    ):
        assert secret not in written
