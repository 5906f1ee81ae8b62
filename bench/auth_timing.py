"""Does the time of an answer tell whether an account exists?

Starts auth on loopback with a database and a mail server of its own, then asks in turn, in a
random order, for known and for unknown people: a code by mail (under every sign-up policy), the
time of the request that comes right after one (a mail that is being sent must not slow it down
tellingly), and a sign-in with a wrong password. Beside medians it says how well the time alone
would tell the two apart: the area under the ROC curve, 0.5 being not at all and 1.0 always.

    python -m bench.auth_timing [tries]
"""

import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx2

from bench.results import Section, machine
from deploy.local import postgresql
from services.auth.settings import SignUp
from tests.auth.driving import PASSWORD, Auth, running_auth, some_address
from tests.support.databases import Database, copy_of, make_database, make_owner, migrate
from tests.support.mailbox import running_mailbox

TRIES = 200
PEOPLE = 20

Ask = Callable[[str], Awaitable[tuple[float, int]]]
"""Asks for somebody; returns milliseconds and the status."""
Row = tuple[str, ...]

HEAD = ("call", "known, median ms (quartiles)", "unknown, median ms (quartiles)", "told apart")


def distinguishable(known: list[float], unknown: list[float]) -> float:
    """The chance that of one known and one unknown answer the slower is guessed right."""
    pairs = [(a > b) + 0.5 * (a == b) for a in known for b in unknown]
    area = statistics.fmean(pairs)
    return max(area, 1 - area)


def spread(times_ms: list[float]) -> str:
    low, middle, high = statistics.quantiles(times_ms, n=4)
    return f"{middle:.2f} ({low:.2f}\u2013{high:.2f})"


async def measured(call: str, ask: Ask, known: list[str], unknown: list[str], tries: int) -> Row:
    names = [(True, name) for name in (known * tries)[:tries]]
    names += [(False, name) for name in (unknown * tries)[:tries]]
    random.shuffle(names)
    times_ms: dict[bool, list[float]] = {True: [], False: []}
    statuses = set()
    for is_known, name in names:
        took_ms, status = await ask(name)
        times_ms[is_known].append(took_ms)
        statuses.add(status)
    if len(statuses) != 1:
        sys.exit(f"{call}: the status tells: {sorted(statuses)}")
    area = distinguishable(times_ms[True], times_ms[False])
    return (
        f"{call}: {statuses.pop()}",
        *map(spread, (times_ms[True], times_ms[False])),
        f"{area:.3f}",
    )


async def timed(answer: Awaitable[httpx2.Response]) -> tuple[float, int]:
    started = time.perf_counter()
    status = (await answer).status_code
    return (time.perf_counter() - started) * 1000, status


async def accounts(auth: Auth) -> list[str]:
    """The addresses of new people, each with a password."""
    headers = await auth.admin()
    emails = [f"somebody{number}@example.com" for number in range(PEOPLE)]
    for email in emails:
        body = {"email": email, "password": PASSWORD}
        (await auth.post("/api/auth/users", body, headers=headers)).raise_for_status()
    return emails


async def compare(auth: Auth, policy: SignUp, tries: int) -> list[Row]:
    known = await accounts(auth)
    unknown = [f"nobody{number}@example.com" for number in range(PEOPLE)]

    async def code(email: str) -> tuple[float, int]:
        return await timed(auth.post("/api/auth/otp", {"email": email}))

    async def next_one(email: str) -> tuple[float, int]:
        await auth.post("/api/auth/otp", {"email": email})
        return await timed(auth.post("/api/auth/otp", {"email": "prober@elsewhere.example.com"}))

    async def password(email: str) -> tuple[float, int]:
        body = {"username": email, "password": "not the password"}
        return await timed(auth.post("/api/token", body, headers=some_address()))

    for email in (known[0], unknown[0]):  # connections, caches, the first touch of a page
        await password(email)
        await code(email)
    rows = [
        await measured(f"a code, SIGN_UP={policy.value}", code, known, unknown, tries),
        await measured(
            f"the request after it, SIGN_UP={policy.value}", next_one, known, unknown, tries
        ),
    ]
    if policy is SignUp.OPEN:
        rows.append(await measured("a wrong password", password, known, unknown, tries))
    return rows


async def bench(template: Database, tries: int) -> list[Row]:
    rows = []
    for policy in SignUp:
        async with (
            copy_of(template) as database,
            running_mailbox() as mailbox,
            running_auth(
                database,
                mailbox,
                sign_up=policy,
                sign_up_domains=("example.org",),
                otp_per_address_per_hour=1_000_000,
                otp_per_ip_per_hour=1_000_000,
                otp_overall_per_hour=1_000_000,
                otp_mail_spread_s=1,
                argon2_memory_kib=47_104,
                log_level="ERROR",
            ) as auth,
        ):
            rows += await compare(auth, policy, tries)
    return rows


def main() -> None:
    tries = int(sys.argv[1]) if len(sys.argv) > 1 else TRIES
    with tempfile.TemporaryDirectory(prefix="tabularium-bench-") as folder:
        Path(folder).chmod(0o755)
        cluster = postgresql.prepare(Path(folder))
        cluster.initialise()
        cluster.start()
        try:
            asyncio.run(make_owner(cluster))
            template = asyncio.run(make_database(cluster, "tabularium_template"))
            migrate(template, "auth")
            rows = asyncio.run(bench(template, tries))
        finally:
            cluster.stop()
    section = Section("auth_timing", "Does the time of an answer tell whether an account exists?")
    section.say(
        f"`python -m bench auth_timing`, {machine()}, loopback, one process, {tries} tries for"
        f" known and {tries} for unknown people in a random order. *Told apart*: the chance to"
        " guess from the time alone which of two answers was for somebody known; 0.5 is a coin."
    )
    section.table(HEAD, rows)
    section.write()


if __name__ == "__main__":
    main()
