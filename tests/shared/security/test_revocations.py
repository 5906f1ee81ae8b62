"""Revoked tokens are refused by every process that hears of it, and by those alone that must."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio

from shared.contracts.auth import Caller, Mark, Revocation
from shared.errors import UnauthenticatedError, UnavailableError
from shared.security.revocations import KEPT_S, RevocationFeed, Revoked
from shared.security.tokens import Verifier, verifying
from tests.support.issuer import Issuer, person
from tests.support.settings import settings_with
from tests.support.waiting import until


@pytest_asyncio.fixture
async def verifier(issuer: Issuer) -> AsyncIterator[Verifier]:
    async with (
        httpx2.AsyncClient(trust_env=False) as http,
        verifying(http, settings_with(auth_url=issuer.url)) as verifier,
    ):
        yield verifier


async def until_refused(verifier: Verifier, token: str) -> None:
    async def refused() -> bool:
        try:
            await verifier.verify(token)
        except UnauthenticatedError:
            return True
        return False

    await until("the token is refused", refused)


@pytest.mark.parametrize("mark", [Mark.SUBJECT, Mark.SESSION, Mark.API_KEY])
async def test_a_revocation_ends_the_tokens_it_names(
    issuer: Issuer, verifier: Verifier, mark: Mark
) -> None:
    ann, bob = person(f"{mark}-ann@example.com"), person(f"{mark}-bob@example.com")
    value = ann.sub if mark is Mark.SUBJECT else f"one-{mark}"

    def token_of(caller: Caller, name: str) -> str:
        claims = {} if mark is Mark.SUBJECT else {mark.value: name}
        return issuer.token(caller, **claims)

    revoked, other = token_of(ann, value), token_of(bob, f"another-{mark}")
    for token in (revoked, other):
        await verifier.verify(token)
    issuer.revoke(mark.of(value))

    await until_refused(verifier, revoked)
    assert (await verifier.verify(other)).sub == bob.sub


async def test_a_token_of_the_same_second_is_told_apart_by_its_milliseconds() -> None:
    revoked = Revoked()
    mark = Mark.SUBJECT.of("ann")
    revoked.add([Revocation(id=1, mark=mark, at=1_000.5)])
    assert revoked.refuses([mark], issued_at=1_000.499)
    assert revoked.refuses([mark], issued_at=1_000.5)
    assert not revoked.refuses([mark], issued_at=1_000.501)
    assert not revoked.refuses([Mark.SUBJECT.of("bob")], issued_at=1)


async def test_what_no_live_token_can_carry_is_forgotten() -> None:
    revoked = Revoked()
    old, new = Mark.SUBJECT.of("ann"), Mark.SUBJECT.of("bob")
    revoked.add([Revocation(id=1, mark=old, at=1_000)])
    revoked.add([Revocation(id=2, mark=new, at=1_000 + KEPT_S)])
    assert (revoked.at(old), revoked.at(new)) == (0, 1_000 + KEPT_S)


async def test_a_later_revocation_of_one_mark_counts() -> None:
    revoked = Revoked()
    mark = Mark.SUBJECT.of("ann")
    revoked.add([Revocation(id=2, mark=mark, at=20), Revocation(id=1, mark=mark, at=10)])
    assert revoked.at(mark) == 20


async def test_without_auth_the_feed_says_so_and_keeps_what_it_has(issuer: Issuer) -> None:
    revoked = Revoked()
    mark = Mark.SUBJECT.of("carol of the feed")
    issuer.revoke(mark)
    async with httpx2.AsyncClient(trust_env=False) as http:
        await RevocationFeed(http, issuer.url, revoked).follow()
        with pytest.raises(UnavailableError):
            await RevocationFeed(http, "http://127.0.0.1:9", revoked).follow()
    assert revoked.at(mark) > 0


async def test_a_waiting_feed_ends_when_it_is_cancelled(issuer: Issuer) -> None:
    async with httpx2.AsyncClient(trust_env=False) as http:
        feed = RevocationFeed(http, issuer.url, Revoked())
        await feed.follow()  # what others have revoked
        waiting = asyncio.create_task(feed.follow())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
