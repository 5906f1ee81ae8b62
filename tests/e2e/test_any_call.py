"""Random requests to every call of the document, as an admin and as a member: no answer is 5xx."""

import re
from collections.abc import Callable, Iterator, Mapping

import httpx2
import pytest

from tests.support.conformance import CHECKS, every_call
from tests.support.profile import only_in_full
from tests.support.stack import RunningStack, running_stack
from tests.support.waiting import until_now

EXAMPLES = 10
NOT_TRIED = frozenset(
    {
        "/api/auth/revoke",  # ends the session of whoever tries
        "/api/mail/stop/{token}",
    }
)
LIMITS = {
    "RATE_LIMIT_REQUESTS_PER_S": "10000",
    "RATE_LIMIT_REQUESTS_BURST": "10000",
    "RATE_LIMIT_SIGN_IN_PER_MIN": "10000",
    "RATE_LIMIT_OTP_PER_H_ADDRESS": "10000",
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack of its own: what is tried may take its places, and its admin's tables."""
    with running_stack(tmp_path_factory.mktemp("any") / "state", settings=LIMITS) as running:
        yield running


def member(stack: RunningStack) -> str:
    """The access token of somebody who signed up by mail."""
    address = "member@example.com"
    with httpx2.Client(base_url=stack.url, timeout=60, trust_env=False) as http:
        asked = http.post("/api/auth/otp", json={"email": address}).json()
        mails = until_now("the mail", lambda: [m for m in stack.mails() if address in m])
        code = re.search(r"\b(\d{6})\b", mails[-1].partition("\n\n")[2])
        assert code is not None
        answer = http.post(
            "/api/auth/otp/verify",
            json={"challenge_id": asked["challenge_id"], "code": code[1]},
        )
        access: str = answer.json()["access"]
        return access


def admin(stack: RunningStack) -> str:
    with stack.signed_in() as http:
        return str(http.headers["Authorization"]).removeprefix("Bearer ")


@only_in_full
@pytest.mark.parametrize("role", [admin, member])
async def test_no_call_is_answered_5xx_or_undocumented(
    stack: RunningStack, role: Callable[[RunningStack], str]
) -> None:
    headers: Mapping[str, str] = {"Authorization": f"Bearer {role(stack)}"}
    tried = await every_call(
        stack.url,
        lambda _path: headers,
        examples=EXAMPLES,
        without=NOT_TRIED,
        document="/openapi.json",
        checks=CHECKS[:3],  # what answers look like, the services' own tests hold
    )
    assert tried > 90
