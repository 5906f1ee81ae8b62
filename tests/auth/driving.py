"""Driving a running auth: settings, sign-ins, accounts and forged tokens."""

import base64
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx2
from pydantic import SecretStr

from services.auth.main import create_app
from services.auth.settings import AuthSettings
from tests.support.databases import Database
from tests.support.mailbox import Mailbox
from tests.support.serving import serving
from tests.support.waiting import until

ADMIN = "root"
ADMIN_EMAIL = "root@example.com"
ADMIN_PASSWORD = "an admin of the tests 42"
PASSWORD = "a password of the tests 42"
SIGNING_KEY_SECRET = base64.urlsafe_b64encode(bytes(range(32))).decode()
INTERNAL_SECRETS = {"catalog": "catalog-secret", "records": "records-secret"}


def auth_settings(database: Database, mailbox: Mailbox, **changes: Any) -> AuthSettings:
    unused = "http://127.0.0.1:9"
    values: dict[str, Any] = {
        "redis_url": "redis://127.0.0.1:9/0",
        "auth_url": unused,
        "catalog_url": unused,
        "records_url": unused,
        "ingest_url": unused,
        "database_url": database.url("auth"),
        "listen_database_url": database.direct_url("auth"),
        "service_client_id": "auth",
        "service_client_secret": "unused",
        "smtp_host": mailbox.settings.smtp_host,
        "smtp_port": mailbox.port,
        "smtp_security": "none",
        "smtp_timeout_s": 5,
        "signing_key_secret": SIGNING_KEY_SECRET,
        "otp_pepper": "a pepper of the tests",
        "internal_clients": {key: SecretStr(value) for key, value in INTERNAL_SECRETS.items()},
        "first_admin_username": ADMIN,
        "first_admin_password": ADMIN_PASSWORD,
        "first_admin_email": ADMIN_EMAIL,
        "otp_per_ip_per_hour": 1000,
        "otp_mail_spread_s": 0,
        # The smallest that settings take: the tests hash often.
        "argon2_memory_kib": 8192,
    }
    return AuthSettings(**(values | changes))


def some_address() -> dict[str, str]:
    """Headers as the gateway sends them for somebody new: back-off counts by address."""
    octets = [str(1 + secrets.randbelow(250)) for _ in range(3)]
    return {"X-Forwarded-For": ".".join(["10", *octets])}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@dataclass
class Auth:
    """A running auth and a client that talks to it."""

    settings: AuthSettings
    database: Database
    mailbox: Mailbox
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    url: str = field(init=False)
    http: httpx2.AsyncClient = field(init=False)

    async def sign_in(self, username: str, password: str = PASSWORD) -> dict[str, str]:
        """`{"access", "refresh"}` by the verb face."""
        answer = await self.post("/api/token", {"username": username, "password": password})
        assert answer.status_code == 200, answer.text
        pair: dict[str, str] = answer.json()
        return pair

    async def admin(self) -> dict[str, str]:
        """Headers of the first admin."""
        return bearer((await self.sign_in(ADMIN, ADMIN_PASSWORD))["access"])

    async def post(
        self, path: str, body: Mapping[str, Any], *, headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        return await self.http.post(path, json=dict(body), headers=headers or some_address())

    async def form(
        self, form: Mapping[str, str], *, headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        """Ask the OAuth token endpoint."""
        merged = some_address() | dict(headers or {})
        return await self.http.post("/api/auth/token", data=dict(form), headers=merged)

    async def add_user(self, **fields: Any) -> dict[str, Any]:
        """A new account, made by the admin."""
        name = f"u{secrets.token_hex(5)}"
        body = {"email": f"{name}@example.com", "username": name, "password": PASSWORD} | fields
        answer = await self.post("/api/auth/users", body, headers=await self.admin())
        assert answer.status_code == 201, answer.text
        user: dict[str, Any] = answer.json()
        return user

    async def add_client(self, *scopes: str, **fields: Any) -> dict[str, Any]:
        """A new machine client, made by the admin."""
        body = {"name": "a program", "scopes": list(scopes)} | fields
        answer = await self.post("/api/auth/clients", body, headers=await self.admin())
        assert answer.status_code == 201, answer.text
        client: dict[str, Any] = answer.json()
        return client

    async def client_token(self, client: Mapping[str, Any]) -> str:
        """An access token of a machine client."""
        form = {
            "grant_type": "client_credentials",
            "client_id": client["id"],
            "client_secret": client["secret"],
        }
        token: str = (await self.form(form)).json()["access_token"]
        return token

    async def peer_token(self) -> str:
        """An access token of one of our own services."""
        return await self.client_token({"id": "catalog", "secret": INTERNAL_SECRETS["catalog"]})

    async def restart(self) -> None:
        """Stop the process and start it anew, at another port."""
        await self.stack.aclose()
        self.url = await self.stack.enter_async_context(serving(create_app(self.settings)))
        self.http = await self.stack.enter_async_context(
            httpx2.AsyncClient(base_url=self.url, trust_env=False, timeout=60)
        )

    async def me(self, token: str) -> httpx2.Response:
        return await self.http.get("/api/auth/me", headers=bearer(token))

    async def until_refused(self, token: str) -> None:
        """Wait until an access token that was good is revoked, here as in every service."""

        async def refused() -> bool:
            return (await self.me(token)).status_code == 401

        await until("the token is refused", refused)

    async def change_user(self, user: Mapping[str, Any], **changes: Any) -> None:
        """Change an account as the admin."""
        path = f"/api/auth/users/{user['id']}"
        answer = await self.http.patch(path, json=changes, headers=await self.admin())
        assert answer.status_code == 200, answer.text

    async def events(self, **filters: Any) -> list[dict[str, Any]]:
        """Lines of the audit trail, newest first."""
        answer = await self.http.get("/api/audit", params=filters, headers=await self.admin())
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def sql(self, statement: str, *arguments: Any) -> Any:
        """Run one statement as the owner of the schema; returns the first value."""
        connection = await asyncpg.connect(self.database.url())
        try:
            return await connection.fetchval(statement, *arguments)
        finally:
            await connection.close()


@asynccontextmanager
async def running_auth(database: Database, mailbox: Mailbox, **changes: Any) -> AsyncIterator[Auth]:
    auth = Auth(
        settings=auth_settings(database, mailbox, **changes), database=database, mailbox=mailbox
    )
    await auth.restart()
    try:
        yield auth
    finally:
        await auth.stack.aclose()
