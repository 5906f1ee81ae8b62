"""Mails to the admins: soon, few, once, and not lost."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from deploy.local.processes import free_port
from deploy.local.valkey import Valkey
from gateway.alerts.domain import Counted, Example, Kind
from gateway.alerts.ledger import DUE, SENDING
from gateway.alerts.mails import digest
from gateway.alerts.watch import ErrorWatch, error_watch
from shared.store.redis import redis_client
from tests.gateway.conftest import SettingsMaker
from tests.gateway.peers import FakeService, broken_service, problem, running_gateway
from tests.support.mailbox import Mailbox, running_mailbox
from tests.support.waiting import until

ADMINS = ("root@example.com", "ops@example.com")


@pytest_asyncio.fixture
async def redis(valkey_server: Valkey) -> AsyncIterator[Redis]:
    async with redis_client(valkey_server.url) as client:
        await client.flushdb()
        yield client


@pytest_asyncio.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    async with running_mailbox() as running:
        yield running


def watching(
    redis: Redis, mailbox: Mailbox, *, window_s: float = 3600, retry_mail_s: float = 0.1
) -> ErrorWatch:
    return ErrorWatch(
        redis, mailbox.settings, recipients=ADMINS, window_s=window_s, retry_mail_s=retry_mail_s
    )


def kind(status: int = 503, route: str = "/api/tables", code: str | None = "unavailable") -> Kind:
    return Kind.of(method="GET", route=route, status=status, code=code)


def example(request_id: str = "r1") -> Example:
    return Example(datetime.now(UTC), request_id, subject="ann", duration_ms=1.5)


def text_of(message: EmailMessage) -> str:
    return str(message.get_content())


async def test_the_first_of_a_kind_is_mailed_at_once(redis: Redis, mailbox: Mailbox) -> None:
    watch = watching(redis, mailbox)
    watch.note(kind(), example("req-77"))
    await watch.round()
    (mail,) = await mailbox.wait_for(1)
    assert mail["To"] == "root@example.com, ops@example.com"
    assert mail["Subject"] == "[Tabularium] 503 unavailable: GET /api/tables"
    assert mail["Message-ID"].endswith("@gateway.tabularium>")
    for word in ("req-77", "by ann", "1.5 ms"):
        assert word in text_of(mail)


async def test_the_same_kind_again_waits_for_the_digest(redis: Redis, mailbox: Mailbox) -> None:
    watch = watching(redis, mailbox, window_s=1.0)
    watch.note(kind(), example("first"))
    await watch.round()
    for number in range(41):
        watch.note(kind(), example(f"r{number}"))
    await watch.round()
    assert len(mailbox.received) == 1
    await rounds_until(watch, mailbox, 2)
    mail = mailbox.received[1]
    assert mail["Subject"] == "[Tabularium] 41 errors in 1 seconds"
    assert "41 x 503 unavailable" in text_of(mail)
    assert "request id r40" in text_of(mail)


async def rounds_until(watch: ErrorWatch, mailbox: Mailbox, count: int) -> None:
    await rounds_of([watch], mailbox, count)


async def rounds_of(watches: Sequence[ErrorWatch], mailbox: Mailbox, count: int) -> None:
    async def enough() -> bool:
        await asyncio.gather(*(watch.round() for watch in watches))
        return len(mailbox.received) >= count

    await until(f"{count} mails", enough)


async def test_nothing_more_is_mailed_when_nothing_more_happened(
    redis: Redis, mailbox: Mailbox
) -> None:
    watch = watching(redis, mailbox, window_s=0.2)
    watch.note(kind(), example())
    await watch.round()

    async def window_is_over() -> bool:
        await watch.round()
        return not await redis.exists(DUE)

    await until("the window is over", window_is_over)
    await watch.round()
    assert len(mailbox.received) == 1


async def test_a_storm_of_many_kinds_is_two_mails(redis: Redis, mailbox: Mailbox) -> None:
    """10,000 errors, refusals and failures of 40 kinds, seen by three processes."""
    watches = [watching(redis, mailbox, window_s=900) for _ in range(3)]
    for number in range(10_000):
        status = 404 if number % 2 else 502
        watches[number % 3].note(kind(status, f"/api/{number % 40}"), example(f"r{number}"))
        if number % 1000 == 999:
            await asyncio.gather(*(watch.round() for watch in watches))
    assert len(mailbox.received) == 2
    told = sorted(mail["Subject"].split()[1] for mail in mailbox.received)
    assert told == ["404", "502"]


async def test_several_processes_write_one_digest_with_all_counts(
    redis: Redis, mailbox: Mailbox
) -> None:
    watches = [watching(redis, mailbox, window_s=2.0) for _ in range(3)]
    watches[0].note(kind(), example())
    await watches[0].round()
    for number in range(300):
        watches[number % 3].note(kind(), example())
    await rounds_of(watches, mailbox, 2)
    await asyncio.gather(*(watch.round() for watch in watches))
    assert [mail["Subject"] for mail in mailbox.received[1:]] == [
        "[Tabularium] 300 errors in 2 seconds"
    ]


async def test_what_a_process_took_and_did_not_write_another_writes(
    redis: Redis, mailbox: Mailbox
) -> None:
    watch = watching(redis, mailbox, window_s=0.1)
    watch.note(kind(), example())
    await watch.round()
    watch.note(kind(), example())
    await watch._hand_over()  # a whole round would write the digest if the window were over
    dying, living = watching(redis, mailbox, window_s=0.1), watching(redis, mailbox, window_s=0.1)
    taken = await until("the window is over", dying._ledger.take_window)
    assert len(taken) == 1  # and then the process is killed
    await living.round()
    assert len(mailbox.received) == 1  # the first may still be at it
    await redis.delete("{tabularium:alerts}:writing")  # as after 30 s
    await living.round()
    assert len(await mailbox.wait_for(2)) == 2


async def test_a_mail_server_that_is_down_gets_the_mail_later(
    redis: Redis, mailbox: Mailbox
) -> None:
    await mailbox.stop()
    watch = watching(redis, mailbox)
    watch.note(kind(), example())
    await watch.round()
    mailbox.refusal = "451 later"
    await mailbox.start()

    async def may_send() -> bool:
        return not await redis.exists(SENDING)

    await until("another try is due", may_send)
    await watch.round()
    assert (mailbox.refused, mailbox.received) == (2, [])
    mailbox.refusal = None
    await rounds_until(watching(redis, mailbox), mailbox, 1)  # another process may do it
    assert mailbox.received[0]["Subject"] == "[Tabularium] 503 unavailable: GET /api/tables"


async def test_a_mail_that_is_refused_for_good_does_not_block_the_next(
    redis: Redis, mailbox: Mailbox
) -> None:
    watch = watching(redis, mailbox)
    mailbox.refusal = "550 unknown"
    watch.note(kind(503), example())
    await watch.round()
    mailbox.refusal = None
    watch.note(kind(404), example())
    await watch.round()
    assert [mail["Subject"].split()[1] for mail in mailbox.received] == ["404"]


async def test_without_redis_each_process_tells_once(mailbox: Mailbox, tmp_path: Path) -> None:
    async with redis_client(f"redis://127.0.0.1:{free_port()}/0", timeout_s=0.2) as away:
        watch = watching(away, mailbox)
        for number in range(500):
            watch.note(kind(), example(f"r{number}"))
        await watch.round()
        await watch.round()
    assert [mail["Subject"] for mail in mailbox.received] == [
        "[Tabularium] Redis is away; sign-in is off"
    ]
    assert "500 x 503" in text_of(mailbox.received[0])


async def test_a_storm_without_redis_is_one_mail_of_each_process(
    mailbox: Mailbox, valkey_server: Valkey, tmp_path: Path
) -> None:
    """10,000 errors of 40 kinds while Redis alone is away; then what is told of them once more."""
    own = Valkey(server=valkey_server.server, folder=tmp_path)
    async with redis_client(own.url) as redis:
        watches = [watching(redis, mailbox, window_s=900) for _ in range(3)]
        for number in range(10_000):
            status = 404 if number % 2 else 502
            watches[number % 3].note(kind(status, f"/api/{number % 40}"), example(f"r{number}"))
            if number % 2000 == 1999:
                await asyncio.gather(*(watch.round() for watch in watches))
        away = [mail["Subject"] for mail in mailbox.received]
        assert away == ["[Tabularium] Redis is away; sign-in is off"] * 3
        await asyncio.to_thread(own.start)
        try:
            for _ in range(3):
                await asyncio.gather(*(watch.round() for watch in watches))
        finally:
            own.stop()
    # As in any storm: one refusal and one failure at once, the rest in the window's digest.
    assert sorted(mail["Subject"].split()[1] for mail in mailbox.received[3:]) == ["404", "502"]


async def test_without_redis_and_mail_server_the_mail_is_tried_again(mailbox: Mailbox) -> None:
    async with redis_client(f"redis://127.0.0.1:{free_port()}/0", timeout_s=0.2) as away:
        patient, hasty = watching(away, mailbox, retry_mail_s=3600), watching(away, mailbox)
        mailbox.refusal = "451 later"
        for watch in (patient, hasty):
            watch.note(kind(), example())
            await watch.round()
        assert mailbox.refused == 2 * len(ADMINS)
        await patient.round()
        assert mailbox.refused == 2 * len(ADMINS)
        mailbox.refusal = None
        await rounds_until(hasty, mailbox, 1)


def test_kinds_come_from_a_bounded_set() -> None:
    assert kind(code="Weird\r\nBcc: x").code == "other"
    assert Kind.from_key(kind().key) == kind()


def test_a_digest_of_many_kinds_stays_readable() -> None:
    errors = [Counted(kind(404, f"/api/{n}"), n + 1, example()) for n in range(150)]
    errors.append(Counted(kind(500, "/api/important"), 1, example()))
    text = digest("id", errors, window_s=900).text
    assert text.index("/api/important") < text.index("/api/149")
    assert "and 1,326 of 51 other kinds" in text


@asynccontextmanager
async def telling(
    url: str, settings: SettingsMaker, mailbox: Mailbox
) -> AsyncIterator[aiohttp.ClientSession]:
    chosen = settings(url, admin_emails="root@example.com")
    async with (
        running_gateway(chosen, mail=mailbox.settings) as gateway,
        gateway.client() as http,
    ):
        yield http


async def test_a_refusal_by_a_service_reaches_the_admins(
    service: FakeService, settings: SettingsMaker, mailbox: Mailbox, redis: Redis
) -> None:
    service.answers["/api/tables"] = problem(409, "import_running")
    async with telling(service.url, settings, mailbox) as http:
        async with http.get("/api/tables", headers={"X-Request-ID": "look-for-me"}) as answer:
            assert answer.status == 409
        (mail,) = await mailbox.wait_for(1)
    assert mail["Subject"] == "[Tabularium] 409 import_running: GET /api/tables"
    assert "look-for-me" in text_of(mail)


async def test_an_answer_broken_off_reaches_the_admins(
    settings: SettingsMaker, mailbox: Mailbox, redis: Redis
) -> None:
    async with (
        broken_service(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf") as broken,
        telling(broken.url, settings, mailbox) as http,
    ):
        async with http.get("/api/tables") as answer:
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.read()
        (mail,) = await mailbox.wait_for(1)
    assert mail["Subject"] == "[Tabularium] 200 broken_off: GET /api/tables"


async def test_what_was_counted_is_told_when_the_process_stops(
    mailbox: Mailbox, redis: Redis
) -> None:
    async with error_watch(
        redis, mailbox.settings, recipients=ADMINS, window_s=900, flush_every_s=3600
    ) as watch:
        assert watch is not None
        watch.note(kind(404), example())
        assert mailbox.received == []
    assert [mail["Subject"].split()[1] for mail in mailbox.received] == ["404"]


async def test_successes_and_redirects_tell_nobody(
    service: FakeService,
    settings: SettingsMaker,
    mailbox: Mailbox,
    redis: Redis,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with telling(service.url, settings, mailbox) as http:
        async with http.get("/api/tables") as answer:
            assert answer.status == 200
        async with http.get("/", allow_redirects=False) as answer:
            assert answer.status == 307
    assert mailbox.received == []
    lines = [line for line in capsys.readouterr().out.splitlines() if "answer_" in line]
    assert len(lines) == 1
    assert '"event": "answer_redirects"' in lines[0]
    assert '"level": "info"' in lines[0]


async def test_an_error_is_logged_with_all_that_finds_it(
    service: FakeService,
    settings: SettingsMaker,
    mailbox: Mailbox,
    redis: Redis,
    capsys: pytest.CaptureFixture[str],
) -> None:
    service.answers["/api/tables"] = problem(409, "import_running")
    async with telling(service.url, settings, mailbox) as http:
        headers = {"X-Request-ID": "find-me"}
        async with http.get("/api/tables?q=secret", headers=headers) as answer:
            assert answer.status == 409
        token = http.headers["Authorization"].split(".")[-1]
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "answer_refused" in line]
    assert token not in line
    for field in (
        '"level": "error"',
        '"request_id": "find-me"',
        '"route": "/api/tables"',
        '"status": 409',
        '"code": "import_running"',
        '"duration_ms"',
        '"subject"',
    ):
        assert field in line
    assert "secret" not in line
