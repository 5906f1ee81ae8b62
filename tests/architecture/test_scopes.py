"""Every call of every service is known to be open, or wants a scope that its document names."""

import re
from collections.abc import Iterator
from typing import Any

import httpx2

from tests.support.stack import RunningStack

OPEN = {
    "get /.well-known/jwks.json",
    "options /api/uploads",
    "post /api/auth/otp",
    "post /api/auth/otp/verify",
    "post /api/auth/revoke",
    "post /api/auth/token",
    "post /api/token",
    "post /api/token/refresh",
    # Not routed by the gateway: a key is its own proof, and revocations name nobody.
    "post /internal/api-keys/exchange",
    "get /internal/revocations",
    "get /api/mail/stop",
    "post /api/mail/stop",
}
"""For callers who have no access token yet, or give another proof."""
OWN_ACCOUNT = {
    "get /api/auth/me",
    "patch /api/auth/me",
    "get /api/auth/api-keys",
    "post /api/auth/api-keys",
    "delete /api/auth/api-keys/{id}",
}
"""For everybody who is signed in."""
ADMINS = {
    "get /api/auth/users",
    "post /api/auth/users",
    "patch /api/auth/users/{id}",
    "get /api/auth/clients",
    "post /api/auth/clients",
    "delete /api/auth/clients/{id}",
    "post /api/auth/keys/rotate",
    "get /api/audit",
}
"""By role, not by scope: `auth/test_accounts.py::test_admins_calls_are_for_admins`."""


def operations(stack: RunningStack) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(`method /path`, the address to call, the operation) for what a document shows."""
    for url in stack.facts["services"].values():
        document = httpx2.get(f"{url}/internal/openapi.json", trust_env=False).json()
        for path, of_path in document["paths"].items():
            for method, operation in of_path.items():
                yield f"{method} {path}", url + re.sub(r"\{[^}]+\}", "1", path), operation


def scopes_of(operation: dict[str, Any]) -> set[str]:
    return {scope for way in operation["security"] for scopes in way.values() for scope in scopes}


def token_of(admin: httpx2.Client, *scopes: str) -> dict[str, str]:
    """Headers of a new machine client with just these scopes."""
    made = admin.post("/api/auth/clients", json={"name": "narrow", "scopes": list(scopes)})
    assert made.status_code == 201, made.text
    form = {
        "grant_type": "client_credentials",
        "client_id": made.json()["id"],
        "client_secret": made.json()["secret"],
    }
    token = admin.post("/api/auth/token", data=form, headers={"Authorization": ""})
    assert token.status_code == 200, token.text
    return {"Authorization": f"Bearer {token.json()['access_token']}"}


def test_what_is_not_known_to_be_open_wants_a_token_with_its_scope(stack: RunningStack) -> None:
    with stack.signed_in() as admin:
        narrow = {scope: token_of(admin, scope) for scope in ("catalog:read", "tables:read")}
    seen_open, without_scope, tried = set(), set(), 0
    with httpx2.Client(trust_env=False, timeout=10) as http:
        for where, address, operation in operations(stack):
            if not operation.get("security"):
                seen_open.add(where)
                continue
            method = where.partition(" ")[0]
            bare = http.request(method, address)
            assert (bare.status_code, bare.headers["WWW-Authenticate"]) == (401, "Bearer"), where
            wanted = scopes_of(operation)
            if not wanted:
                without_scope.add(where)
                continue
            other = next(headers for scope, headers in narrow.items() if scope not in wanted)
            answer = http.request(method, address, headers=other)
            assert answer.status_code == 403, f"{where}: {answer.text}"
            if method != "head":
                assert answer.json()["code"] == "scope_missing", where
            tried += 1
    assert seen_open == OPEN
    assert without_scope == OWN_ACCOUNT | ADMINS
    assert tried > 50
