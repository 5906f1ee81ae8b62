"""What is true before the first request: an admin out of settings, and settings that hold."""

import asyncio

import pytest
from pydantic import ValidationError

from services.auth.process import opened
from services.auth.settings import AuthSettings, SignUp
from shared.errors import InvalidInputError
from tests.auth.driving import (
    ADMIN,
    ADMIN_EMAIL,
    ADMIN_PASSWORD,
    auth_settings,
    running_auth,
)
from tests.support.databases import Database
from tests.support.mailbox import Mailbox

NO_ADMIN = {
    "first_admin_username": None,
    "first_admin_password": None,
    "first_admin_email": None,
}


async def start_and_stop(settings: AuthSettings) -> None:
    async with opened(settings):
        pass


async def test_without_settings_there_is_no_admin_and_no_default(
    database: Database, mailbox: Mailbox
) -> None:
    async with running_auth(database, mailbox, **NO_ADMIN) as auth:
        assert await auth.sql("SELECT count(*) FROM auth.users") == 0
        answer = await auth.post("/api/token", {"username": "admin", "password": "admin"})
        assert answer.status_code == 401


async def test_processes_that_start_together_make_one_admin(
    database: Database, mailbox: Mailbox
) -> None:
    settings = auth_settings(database, mailbox)
    await asyncio.gather(*(start_and_stop(settings) for _ in range(4)))
    async with running_auth(database, mailbox) as auth:
        assert await auth.sql("SELECT count(*) FROM auth.users") == 1
        assert len(await auth.events(action="auth.first_admin")) == 1


async def test_an_admin_that_is_there_is_left_alone(database: Database, mailbox: Mailbox) -> None:
    async with running_auth(database, mailbox):
        pass
    async with running_auth(
        database, mailbox, first_admin_password="quite another passphrase"
    ) as auth:
        await auth.sign_in(ADMIN, ADMIN_PASSWORD)
        assert await auth.sql("SELECT count(*) FROM auth.users") == 1


async def test_somebody_who_signed_up_before_becomes_the_admin(
    database: Database, mailbox: Mailbox
) -> None:
    async with running_auth(database, mailbox, **NO_ADMIN) as auth:
        challenge = (await auth.post("/api/auth/otp", {"email": ADMIN_EMAIL})).json()
        message = await mailbox.wait_for_one_to(ADMIN_EMAIL)
        body = {"challenge_id": challenge["challenge_id"], "code": str(message["Subject"])[:6]}
        pair = (await auth.post("/api/auth/otp/verify", body)).json()
        member = (await auth.me(pair["access"])).json()
        assert member["role"] == "member"
    async with running_auth(database, mailbox) as auth:
        admin = (await auth.me((await auth.sign_in(ADMIN, ADMIN_PASSWORD))["access"])).json()
        assert (admin["id"], admin["role"]) == (member["id"], "admin")


async def test_a_weak_first_password_stops_the_start(database: Database, mailbox: Mailbox) -> None:
    settings = auth_settings(database, mailbox, first_admin_password="admin")
    with pytest.raises(InvalidInputError, match="FIRST_ADMIN_PASSWORD"):
        await start_and_stop(settings)


@pytest.mark.parametrize(
    "changes",
    [
        {"signing_key_secret": "short"},
        {"signing_key_secret": "not base64 at all, but long enough!"},
        {"otp_pepper": "short"},
        {"first_admin_password": None},
        {"sign_up": "domains"},
        {"sign_up": "everyone"},
        {"argon2_memory_kib": 16},
    ],
)
async def test_settings_that_do_not_hold_are_refused(
    database: Database, mailbox: Mailbox, changes: dict[str, object]
) -> None:
    with pytest.raises(ValidationError):
        auth_settings(database, mailbox, **changes)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    unused = "http://127.0.0.1:9"
    environment = {
        "REDIS_URL": "redis://127.0.0.1:9/0",
        **{f"{name}_URL": unused for name in ("AUTH", "CATALOG", "RECORDS", "INGEST")},
        "DATABASE_URL": "postgresql://auth:x@127.0.0.1:9/t",
        "SERVICE_CLIENT_ID": "auth",
        "SERVICE_CLIENT_SECRET": "x",
        "SMTP_HOST": "127.0.0.1",
        "SIGNING_KEY_SECRET": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "OTP_PEPPER": "0123456789abcdef",
        "INTERNAL_CLIENTS": '{"catalog": "s3cret"}',
        "SIGN_UP": "domains",
        "SIGN_UP_DOMAINS": "Example.com, example.org,",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = AuthSettings()
    assert settings.sign_up is SignUp.DOMAINS
    assert settings.sign_up_domains == ("example.com", "example.org")
    assert settings.internal_clients["catalog"].get_secret_value() == "s3cret"
    assert "s3cret" not in repr(settings)
    assert settings.signing_key_secret_bytes == bytes(32)
