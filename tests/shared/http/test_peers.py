"""A peer's trouble is ours to bear: callers hear that it is away, and nothing of its words."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2
import pytest
from aiohttp import web

from shared.contracts.auth import SubjectAnswer
from shared.http.peers import (
    PeerClient,
    PeerProblemError,
    PeerUnavailableError,
    TokenSource,
)
from shared.process.request_id import HEADER, current_request_id
from shared.process.settings import ServiceSettings

TOKEN = '{"access_token": "a.secret.token", "token_type": "Bearer", "expires_in": 900}'
ANN = '{"sub": "ann", "email": "ann@example.com", "something": "new"}'
PROBLEM = (
    '{"type": "t", "title": "Not found", "status": %d, "detail": "nobody is called that",'
    ' "code": "%s", "request_id": "r"}'
)


@dataclass
class Peer:
    """Answers whatever it is told to, on a real port."""

    token: str = TOKEN
    token_status: int = 200
    answer: str = ANN
    status: int = 200
    seen: list[web.Request] = field(default_factory=list)
    tokens: int = 0

    async def give_token(self, _request: web.Request) -> web.Response:
        self.tokens += 1
        return web.Response(text=self.token, status=self.token_status)

    async def reply(self, request: web.Request) -> web.Response:
        self.seen.append(request)
        return web.Response(text=self.answer, status=self.status)


@asynccontextmanager
async def calling(peer: Peer) -> AsyncIterator[PeerClient]:
    app = web.Application()
    app.router.add_post("/api/auth/token", peer.give_token)
    app.router.add_get("/internal/subjects", peer.reply)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    url = f"http://{host}:{port}"
    settings = ServiceSettings.model_validate(
        {
            **{f"{name}_url": url for name in ("auth", "catalog", "records", "ingest")},
            "redis_url": "redis://127.0.0.1:9",
            "database_url": "postgresql://127.0.0.1:9/t",
            "service_client_id": "records",
            "service_client_secret": "only-for-tests",
        }
    )
    try:
        async with httpx2.AsyncClient(trust_env=False) as http:
            yield PeerClient(http, TokenSource(http, settings), base_url=url)
    finally:
        await runner.cleanup()


async def look_up(client: PeerClient) -> SubjectAnswer:
    return await client.call("GET", "/internal/subjects", SubjectAnswer)


async def test_a_contract_comes_back_and_new_fields_are_ignored() -> None:
    peer = Peer()
    token = current_request_id.set("request-1")
    async with calling(peer) as client:
        assert (await look_up(client)).email == "ann@example.com"
        await look_up(client)
    current_request_id.reset(token)
    assert peer.tokens == 1
    headers = peer.seen[0].headers
    assert headers["Authorization"] == "Bearer a.secret.token"
    assert headers[HEADER] == "request-1"


@pytest.mark.parametrize("answer", ["", "<html>", "[]", '{"sub": 7}', '{"email": "a@b"}'])
async def test_an_answer_out_of_contract_is_the_peers_trouble(answer: str) -> None:
    async with calling(Peer(answer=answer)) as client:
        with pytest.raises(PeerUnavailableError, match="contract") as refused:
            await look_up(client)
    assert refused.value.status == 503


@pytest.mark.parametrize(
    ("token", "status"),
    [("", 200), ("{}", 200), ('{"access_token": "a.secret.token"}', 200), (TOKEN, 401)],
)
async def test_without_a_token_of_its_own_nothing_is_asked(token: str, status: int) -> None:
    peer = Peer(token=token, token_status=status)
    async with calling(peer) as client:
        with pytest.raises(PeerUnavailableError) as refused:
            await look_up(client)
    assert peer.seen == []
    assert "secret" not in f"{refused.value!r} {refused.value.__cause__}"


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (500, "Traceback"),
        (503, PROBLEM % (503, "database_unavailable")),
        (401, PROBLEM % (401, "unauthenticated")),
        (403, PROBLEM % (403, "scope_missing")),
        (404, "no problem document"),
        (302, ""),
    ],
)
async def test_what_is_not_the_users_doing_is_503(status: int, answer: str) -> None:
    async with calling(Peer(status=status, answer=answer)) as client:
        with pytest.raises(PeerUnavailableError):
            await look_up(client)


@pytest.mark.parametrize(
    ("status", "code"), [(404, "subject_not_found"), (403, "grant_missing"), (422, "invalid_input")]
)
async def test_a_refusal_is_passed_on_as_it_is(status: int, code: str) -> None:
    async with calling(Peer(status=status, answer=PROBLEM % (status, code))) as client:
        with pytest.raises(PeerProblemError) as refused:
            await look_up(client)
    assert (refused.value.status, refused.value.code) == (status, code)


async def test_a_refused_token_is_not_used_again() -> None:
    peer = Peer(status=401, answer=PROBLEM % (401, "unauthenticated"))
    async with calling(peer) as client:
        with pytest.raises(PeerUnavailableError):
            await look_up(client)
        peer.status, peer.answer = 200, ANN
        await look_up(client)
    assert peer.tokens == 2
