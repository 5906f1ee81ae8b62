"""The service against its own OpenAPI document: no 5xx, no answer that it does not describe."""

from collections.abc import Mapping

import pytest

from shared.contracts.auth import REVOCATIONS_PATH
from tests.auth.driving import Auth, bearer, some_address
from tests.support.conformance import every_call
from tests.support.profile import examples, only_in_full

EXAMPLES = examples(40)


@only_in_full
@pytest.mark.parametrize("role", ["admin", "member"])
async def test_any_call_gets_an_answer_that_the_document_describes(auth: Auth, role: str) -> None:
    peer = bearer(await auth.peer_token())
    user = await auth.add_user(role=role)
    person = bearer((await auth.sign_in(user["username"]))["access"])

    def headers(path: str) -> Mapping[str, str]:
        return (peer if path.startswith("/internal/") else person) | some_address()

    # The feed of revocations waits for news, each time for as long as it was asked to.
    tried = await every_call(auth.url, headers, examples=EXAMPLES, without={REVOCATIONS_PATH})
    assert tried > 18


@pytest.mark.parametrize("number", [2**63, 10**30, "9" * 5000, -1])
async def test_ids_beyond_their_type_are_refused_by_name(auth: Auth, number: object) -> None:
    answer = await auth.http.get(
        "/api/audit", params={"before": str(number)}, headers=await auth.admin()
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "before"


async def test_a_body_over_the_limit_is_refused(auth: Auth) -> None:
    answer = await auth.post("/api/token", {"username": "ann", "password": "x" * 70_000})
    assert answer.status_code == 413
    assert (answer.json()["code"], answer.json()["limit_bytes"]) == ("too_large", 65_536)
