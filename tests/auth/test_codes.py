"""Signing in and up by a mailed code."""

import asyncio
import re
import secrets

import pytest

from services.auth.settings import SignUp
from tests.auth.driving import Auth, running_auth, some_address
from tests.support.databases import Database
from tests.support.mailbox import Mailbox
from tests.support.profile import only_in_full

CODE = re.compile(r"[0-9]{6}")


async def ask(auth: Auth, email: str) -> str:
    """Ask for a code; returns the challenge."""
    answer = await auth.post("/api/auth/otp", {"email": email})
    assert answer.status_code == 202, answer.text
    assert answer.json()["expires_in"] == 600
    challenge_id: str = answer.json()["challenge_id"]
    return challenge_id


async def mailed_code(auth: Auth, email: str) -> str:
    message = await auth.mailbox.wait_for_one_to(email)
    subject = str(message["Subject"])
    assert CODE.match(subject)
    return subject[:6]


async def verify(auth: Auth, challenge_id: str, code: str) -> int:
    answer = await auth.post("/api/auth/otp/verify", {"challenge_id": challenge_id, "code": code})
    if answer.status_code == 401:
        assert answer.json()["code"] == "invalid_code"
    return answer.status_code


def some_email() -> dict[str, str]:
    return {"email": f"{secrets.token_hex(6)}@example.com"}


def another(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


async def test_the_first_code_signs_up_and_the_next_signs_in(auth: Auth) -> None:
    email = "new.person@example.com"
    challenge = await ask(auth, "New.Person@EXAMPLE.com")
    body = {"challenge_id": challenge, "code": await mailed_code(auth, email)}
    answer = await auth.post("/api/auth/otp/verify", body)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    me = (await auth.me(answer.json()["access"])).json()
    assert (me["email"], me["role"], me["has_password"]) == (email, "member", False)
    auth.mailbox.received.clear()
    again = await ask(auth, email)
    body = {"challenge_id": again, "code": await mailed_code(auth, email)}
    second = await auth.post("/api/auth/otp/verify", body)
    assert (await auth.me(second.json()["access"])).json()["id"] == me["id"]
    actions = [event["action"] for event in await auth.events(subject=me["sub"])]
    assert actions == ["auth.sign_in", "auth.sign_in", "auth.sign_up"]


async def test_the_mail_has_the_code_first_and_no_link(auth: Auth) -> None:
    email = "reader@example.com"
    await ask(auth, email)
    message = await auth.mailbox.wait_for_one_to(email)
    code = str(message["Subject"])[:6]
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content().startswith(code)
    assert code in html.get_content()
    for part in (text, html):
        content = part.get_content()
        assert "http" not in content
        assert "href" not in content
        assert "10 minutes" in content
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"]


async def test_a_code_works_once(auth: Auth) -> None:
    email = "once@example.com"
    challenge = await ask(auth, email)
    code = await mailed_code(auth, email)
    statuses = await asyncio.gather(*(verify(auth, challenge, code) for _ in range(5)))
    assert sorted(statuses) == [200, 401, 401, 401, 401]


async def test_two_first_codes_at_once_make_one_account(auth: Auth) -> None:
    email = "twice@example.com"
    first = await ask(auth, email)
    first_code = await mailed_code(auth, email)
    second = await ask(auth, email)
    while len(auth.mailbox.to(email)) < 2:
        await auth.mailbox.wait_for(len(auth.mailbox.received) + 1)
    second_code = str(auth.mailbox.to(email)[1]["Subject"])[:6]
    statuses = await asyncio.gather(
        *(verify(auth, *pair) for pair in ((first, first_code), (second, second_code)))
    )
    assert statuses == [200, 200]
    assert await auth.sql("SELECT count(*) FROM auth.users WHERE email = $1", email) == 1


async def test_the_sixth_try_is_refused_though_it_is_right(auth: Auth) -> None:
    email = "five@example.com"
    challenge = await ask(auth, email)
    code = await mailed_code(auth, email)
    for _ in range(5):
        assert await verify(auth, challenge, another(code)) == 401
    assert await verify(auth, challenge, code) == 401


async def test_the_fifth_try_may_be_right(auth: Auth) -> None:
    email = "fifth@example.com"
    challenge = await ask(auth, email)
    code = await mailed_code(auth, email)
    for _ in range(4):
        assert await verify(auth, challenge, another(code)) == 401
    assert await verify(auth, challenge, f" {code} ") == 200


async def test_a_code_belongs_to_its_challenge(auth: Auth) -> None:
    challenge = await ask(auth, "mine@example.com")
    await ask(auth, "yours@example.com")
    yours = await mailed_code(auth, "yours@example.com")
    mine = await mailed_code(auth, "mine@example.com")
    if yours != mine:
        assert await verify(auth, challenge, yours) == 401
    assert await verify(auth, "no-such-challenge", mine) == 401


async def test_a_code_expires(auth: Auth) -> None:
    email = "late@example.com"
    challenge = await ask(auth, email)
    code = await mailed_code(auth, email)
    lasts = await auth.sql(
        "SELECT extract(epoch FROM expires_at - created_at) FROM auth.otp_challenges WHERE id = $1",
        challenge,
    )
    assert lasts == 600
    await auth.sql("UPDATE auth.otp_challenges SET expires_at = now() WHERE id = $1", challenge)
    assert await verify(auth, challenge, code) == 401


async def test_the_code_is_not_in_the_database(auth: Auth) -> None:
    email = "secret@example.com"
    challenge = await ask(auth, email)
    code = await mailed_code(auth, email)
    row = await auth.sql("SELECT c::text FROM auth.otp_challenges c WHERE id = $1", challenge)
    assert code not in row.replace(challenge, "")
    assert (
        await auth.sql("SELECT length(code_mac) FROM auth.otp_challenges WHERE id = $1", challenge)
        == 32
    )


@pytest.mark.parametrize(
    "code", ["12345", "1234567", "12345a", "", "\uff11\uff12\uff13\uff14\uff15\uff16"]
)
async def test_what_is_no_code_costs_no_try(auth: Auth, code: str) -> None:
    email = "typo@example.com"
    await auth.sql("DELETE FROM auth.request_limits")
    challenge = await ask(auth, email)
    body = {"challenge_id": challenge, "code": code}
    assert (await auth.post("/api/auth/otp/verify", body)).status_code == 422
    tries = await auth.sql("SELECT tries FROM auth.otp_challenges WHERE id = $1", challenge)
    assert tries == 0


@pytest.mark.parametrize(
    "email", ["", "nobody", "a@b@c", "a b@example.com", "ann@example.com\r\nBcc: x@example.com"]
)
async def test_what_is_no_address_is_refused(auth: Auth, email: str) -> None:
    answer = await auth.post("/api/auth/otp", {"email": email})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "email"


async def test_per_address_limit(auth: Auth) -> None:
    for email in ("known", "unknown"):
        address = f"{email}.limit@example.com"
        if email == "known":
            await auth.add_user(email=address)
        answers = [await auth.post("/api/auth/otp", {"email": address}) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [202] * 5 + [429]
        # GCRA: five at once, then one every twelve minutes.
        assert 700 <= int(answers[-1].headers["Retry-After"]) <= 720
        assert answers[-1].json()["code"] == "too_many_requests"


async def test_parallel_requests_do_not_slip_past_the_limit(auth: Auth) -> None:
    body = {"email": "parallel@example.com"}
    answers = await asyncio.gather(*(auth.post("/api/auth/otp", body) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [202] * 5 + [429] * 15


async def test_per_ip_and_overall_limits(database: Database, mailbox: Mailbox) -> None:
    async with running_auth(
        database, mailbox, otp_per_ip_per_hour=3, otp_overall_per_hour=7
    ) as auth:
        statuses = []
        for caller in range(3):
            address = some_address()
            for number in range(4):
                body = {"email": f"p{caller}.{number}@example.com"}
                answer = await auth.post("/api/auth/otp", body, headers=address)
                statuses.append(answer.status_code)
                assert ("Retry-After" in answer.headers) == (answer.status_code == 429)
        # Three per caller, then refused; of the third caller's only the seventh overall.
        assert statuses == [202, 202, 202, 429, 202, 202, 202, 429, 202, 429, 429, 429]


@only_in_full
@pytest.mark.parametrize("policy", list(SignUp))
async def test_sign_up_policies_answer_alike(
    database: Database, mailbox: Mailbox, policy: SignUp
) -> None:
    async with running_auth(
        database, mailbox, sign_up=policy, sign_up_domains=("example.com",)
    ) as auth:
        await auth.add_user(email="known@example.org")
        gone = await auth.add_user(email="gone@example.org")
        path = f"/api/auth/users/{gone['id']}"
        await auth.http.patch(path, json={"disabled": True}, headers=await auth.admin())
        mailbox.received.clear()
        admitted = {
            "known@example.org": True,
            "gone@example.org": False,
            "new@example.com": policy in (SignUp.OPEN, SignUp.DOMAINS),
            "new@sub.example.com": policy is SignUp.OPEN,
            "new@elsewhere.org": policy is SignUp.OPEN,
        }
        shapes = set()
        for email in admitted:
            answer = await auth.post("/api/auth/otp", {"email": email})
            shapes.add(
                (
                    answer.status_code,
                    tuple(sorted(answer.json())),
                    len(answer.json()["challenge_id"]),
                    answer.json()["expires_in"],
                    tuple(sorted(set(answer.headers) - {"date", "x-request-id"})),
                )
            )
        assert len(shapes) == 1
    # A process that has stopped has dealt with every request: what is missing never comes.
    assert {str(message["To"]) for message in mailbox.received} == {
        email for email, lets_in in admitted.items() if lets_in
    }


async def test_a_closed_house_lets_nobody_in_even_with_the_right_code(
    database: Database, mailbox: Mailbox
) -> None:
    async with running_auth(database, mailbox) as auth:
        challenge = await ask(auth, "guest@example.com")
        code = await mailed_code(auth, "guest@example.com")
    async with running_auth(database, mailbox, sign_up=SignUp.CLOSED) as auth:
        assert await verify(auth, challenge, code) == 401
        assert await auth.sql("SELECT count(*) FROM auth.users") == 1  # the admin


async def test_the_mail_server_may_go_and_come_back(database: Database) -> None:
    mailbox = Mailbox()
    await mailbox.start()
    async with running_auth(database, mailbox) as auth:
        await mailbox.stop()
        challenge = await ask(auth, "patient@example.com")  # not known to be down yet
        while (await auth.post("/api/auth/otp", some_email())).status_code != 503:
            continue
        for email in ("patient@example.com", "unknown@example.com"):
            answer = await auth.post("/api/auth/otp", {"email": email})
            assert answer.status_code == 503
            assert answer.json()["code"] == "mail_unavailable"
            assert int(answer.headers["Retry-After"]) > 0
        await mailbox.start()
        code = await mailed_code(auth, "patient@example.com")
        assert await verify(auth, challenge, code) == 200
        await ask(auth, "patient@example.com")
    await mailbox.stop()


async def test_an_address_the_server_refuses_stops_nobody_else(
    database: Database, mailbox: Mailbox
) -> None:
    async with running_auth(database, mailbox) as auth:
        mailbox.refusal = "450 greylisted, come back"
        challenge = await ask(auth, "grey@example.com")
        await mailbox.wait_for_refusals(1)
        await ask(auth, "another@example.com")
        mailbox.refusal = None
        code = await mailed_code(auth, "grey@example.com")
        assert await verify(auth, challenge, code) == 200
        mailbox.refusal = "550 no such person"
        before = mailbox.refused
        await ask(auth, "nobody@example.com")
        await mailbox.wait_for_refusals(before + 1)
        mailbox.refusal = None
        await ask(auth, "somebody@example.com")
        await mailbox.wait_for_one_to("somebody@example.com")
        assert not mailbox.to("nobody@example.com")


async def test_what_stands_in_line_is_sent_before_a_process_stops(
    database: Database, mailbox: Mailbox
) -> None:
    emails = [f"last{number}@example.com" for number in range(10)]
    async with running_auth(database, mailbox) as auth:
        for email in emails:
            await ask(auth, email)
    assert all(mailbox.to(email) for email in emails)
