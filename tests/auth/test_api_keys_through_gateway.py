"""An API key's whole life through the real gateway and the real auth."""

from collections.abc import AsyncIterator, Awaitable, Callable

import httpx2
import pytest_asyncio

from deploy.local.processes import free_port
from deploy.local.valkey import Valkey
from gateway.settings import GatewaySettings
from tests.auth.driving import Auth, bearer
from tests.gateway.peers import running_gateway
from tests.support.waiting import until

PATH = "/api/auth/api-keys"


@pytest_asyncio.fixture(loop_scope="session")
async def http(auth: Auth, valkey_server: Valkey) -> AsyncIterator[httpx2.AsyncClient]:
    settings = GatewaySettings(
        redis_url=valkey_server.url,
        auth_url=auth.url,
        catalog_url=auth.url,
        records_url=auth.url,
        ingest_url=auth.url,
        port=free_port(),
    )
    async with (
        running_gateway(settings, real_auth=True) as gateway,
        httpx2.AsyncClient(base_url=gateway.url, trust_env=False, timeout=60) as http,
    ):
        yield http


async def test_a_key_works_until_it_is_revoked(auth: Auth, http: httpx2.AsyncClient) -> None:
    user = await auth.add_user()
    signed_in = bearer((await auth.sign_in(user["username"]))["access"])
    body = {"name": "airflow", "scopes": ["catalog:write"]}
    key = (await http.post(PATH, json=body, headers=signed_in)).json()

    me = await http.get("/api/auth/me", headers=bearer(key["key"]))
    assert (me.status_code, me.json()["scopes"]) == (200, ["catalog:write"])
    assert (await http.delete(f"{PATH}/{key['id']}", headers=signed_in)).status_code == 204

    # Its token is kept for 60 s: what refuses it sooner is the notice.
    async def refused() -> bool:
        answer = await http.get("/api/auth/me", headers=bearer(key["key"]))
        return answer.status_code == 401 and answer.json()["code"] == "invalid_api_key"

    await until("the key is refused", refused)


async def test_a_key_follows_its_owner(auth: Auth, http: httpx2.AsyncClient) -> None:
    user = await auth.add_user(role="admin")
    signed_in = bearer((await auth.sign_in(user["username"]))["access"])
    body = {"name": "airflow", "scopes": ["catalog:write"]}
    key = (await http.post(PATH, json=body, headers=signed_in)).json()["key"]

    async def role() -> str | None:
        answer = await http.get("/api/auth/me", headers=bearer(key))
        return answer.json().get("role") if answer.status_code == 200 else None

    assert await role() == "admin"
    await auth.change_user(user, role="member")
    await until("the key has its owner's role", lambda: _is(role, "member"))
    await auth.change_user(user, disabled=True)
    await until("the key ends with its owner's account", lambda: _is(role, None))


async def _is(role: Callable[[], Awaitable[str | None]], expected: str | None) -> bool:
    return await role() == expected
