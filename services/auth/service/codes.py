"""Signing in by a mailed code, and signing up by the first one.

A request for a code does the same for every address and never looks whether there is an account;
what depends on that happens after the answer has been sent.
"""

import asyncio
import contextlib
import datetime as dt
import secrets
import time
from dataclasses import dataclass, field

import stamina
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.auth import otp
from services.auth.domain import (
    PERSONS_SCOPES,
    ChallengeId,
    EmailAddress,
    SignInMethod,
    TakenTry,
    TokenPair,
    User,
    domain_of,
    limit_key,
)
from services.auth.errors import EmailTakenError, InvalidCodeError, TooManyCodesError
from services.auth.mailer import CodeMails, MailServer
from services.auth.repository import challenges, limits, users
from services.auth.service.sessions import Sessions, record_failure
from services.auth.settings import SignUp
from services.auth.tables import BOOKS
from shared.away import is_away
from shared.http.addresses import household
from shared.process.mail import MailRefusedError, MailServerDownError
from shared.store.transaction import Transaction, transaction

HOUR_S = 3600
FIRST_RETRY_S = 0.5
LONGEST_WAIT_S = 5.0
RANDOM = secrets.SystemRandom()
LIFETIME = dt.timedelta(seconds=otp.CODE_LIFETIME_S)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CodeLimits:
    """Codes that may be requested in an hour."""

    per_address: int
    per_ip: int
    overall: int


@dataclass(frozen=True, slots=True)
class SignUpPolicy:
    """Who may get an account by their first code."""

    sign_up: SignUp
    domains: frozenset[str] = frozenset()

    def admits(self, email: EmailAddress) -> bool:
        """Whether an address that has no account may get one."""
        if self.sign_up is SignUp.DOMAINS:
            return domain_of(email) in self.domains
        return self.sign_up is SignUp.OPEN


@dataclass(frozen=True, slots=True)
class CodeMail:
    """A code on its way; only in memory, because it contains the code."""

    challenge_id: ChallengeId
    email: EmailAddress
    code: str = field(repr=False)
    leaves_at: float
    """Not before this moment of the monotonic clock."""


@dataclass(frozen=True, slots=True)
class Codes:
    """Creates codes, mails them, and checks them."""

    engine: AsyncEngine
    sessions: Sessions
    server: MailServer
    mails: CodeMails
    pepper: str
    policy: SignUpPolicy
    limits: CodeLimits
    waiting: "asyncio.Queue[CodeMail]"
    spread_s: float
    """Each mail leaves at a random moment within so many seconds."""

    async def ask(self, email: EmailAddress, *, address: str | None) -> CodeMail:
        """Create a challenge; call `post` once the answer has been sent.

        Raises TooManyCodesError, and MailServerDownError while that is known.
        """
        if self.server.known_down or self.waiting.full():
            raise MailServerDownError("no mail can be sent now; try again in a minute")
        code = otp.new_code()
        mail = CodeMail(
            challenge_id=otp.new_challenge(),
            email=email,
            code=code,
            leaves_at=time.monotonic() + RANDOM.uniform(0, self.spread_s),
        )
        async with self.engine.begin() as connection:
            await self._count(connection, email, address)
            await challenges.add(
                connection,
                challenge_id=mail.challenge_id,
                email=email,
                code_mac=otp.code_mac(code, challenge_id=mail.challenge_id, pepper=self.pepper),
                lifetime=LIFETIME,
            )
        return mail

    async def post(self, mail: CodeMail) -> None:
        """Queue a mail."""
        await self.waiting.put(mail)

    async def deliver_next(self) -> None:
        """Wait for a queued mail and send it; several may do so at once."""
        mail = await self.waiting.get()
        try:
            await asyncio.sleep(max(0, mail.leaves_at - time.monotonic()))
            await self._deliver(mail)
        finally:
            self.waiting.task_done()

    async def delivered(self, *, within_s: float) -> None:
        """Wait until every queued mail has left, `within_s` at most.

        Returns at once while the mail server is known to be down.
        """
        if self.server.known_down:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self.waiting.join()

    async def verify(self, challenge_id: str, code: str, *, address: str | None) -> TokenPair:
        """Sign in by a code; an unknown address that the policy admits is signed up.

        The try is counted before the code is compared. Raises InvalidCodeError, whatever the
        cause.
        """
        taken, fits = await self._compare(challenge_id, code)
        async with transaction(self.engine, BOOKS) as tx:
            user = None
            if taken and fits and await challenges.use_up(tx.connection, challenge_id):
                user = await self._account(tx, taken.email, address)
            if user is None:
                known = await users.by_email(tx.connection, taken.email) if taken else None
                await record_failure(tx, known, method=SignInMethod.CODE, address=address)
            else:
                session, refresh = await self.sessions.begin(
                    tx,
                    user,
                    method=SignInMethod.CODE,
                    scopes=PERSONS_SCOPES,
                    address=address,
                )
        if user is None:
            raise InvalidCodeError
        return await self.sessions.pair(user, session, refresh)

    async def confirms(self, challenge_id: str, code: str, *, email: EmailAddress) -> bool:
        """Whether this is an unused code that was mailed to an address; uses it up if so."""
        taken, fits = await self._compare(challenge_id, code)
        if taken is None or not fits or taken.email != email:
            return False
        async with self.engine.begin() as connection:
            return await challenges.use_up(connection, challenge_id)

    async def _compare(self, challenge_id: str, code: str) -> tuple[TakenTry | None, bool]:
        async with self.engine.begin() as connection:
            taken = await challenges.take_try(connection, challenge_id, tries=otp.CODE_TRIES)
        fits = taken is not None and otp.code_fits(
            code, taken.code_mac, challenge_id=challenge_id, pepper=self.pepper
        )
        return taken, fits

    async def _count(
        self, connection: AsyncConnection, email: EmailAddress, address: str | None
    ) -> None:
        # The row that all share comes last, so that it is locked for the shortest time.
        counters = (
            (limit_key("code_email", email), self.limits.per_address),
            (limit_key("code_address", household(address)), self.limits.per_ip),
            ("code_overall", self.limits.overall),
        )
        for key, limit in counters:
            wait_s = await limits.take_request(connection, key, limit=limit, window_s=HOUR_S)
            if wait_s is not None:
                raise TooManyCodesError(wait_s)

    async def _deliver(self, mail: CodeMail) -> None:
        try:
            async for attempt in stamina.retry_context(
                on=_may_do_later,
                attempts=None,
                timeout=otp.CODE_LIFETIME_S,
                wait_initial=FIRST_RETRY_S,
                wait_max=LONGEST_WAIT_S,
            ):
                with attempt:
                    await self._send(mail)
        except (MailServerDownError, MailRefusedError) as exc:
            # Not what the server said: it contains the address, which logs need not have.
            log.warning("code_mail_lost", challenge=mail.challenge_id, error=type(exc).__name__)
        except Exception:  # an edge: a mail that fails must not stop the others
            log.exception("code_mail_failed", challenge=mail.challenge_id)

    async def _send(self, mail: CodeMail) -> None:
        async with self.engine.connect() as connection:
            user = await users.by_email(connection, mail.email)
        message = self.mails.compose(mail.email, mail.code)
        if not self._lets_in(user, mail.email):
            # The same work but for the delivery: sending must not show in the time of the next
            # request.
            await self.server.look()
            log.info("code_not_mailed", challenge=mail.challenge_id)
            return
        await self.server.send(message)
        log.info("code_mailed", challenge=mail.challenge_id)

    def _lets_in(self, user: User | None, email: EmailAddress) -> bool:
        return self.policy.admits(email) if user is None else not user.disabled

    async def _account(
        self, tx: Transaction, email: EmailAddress, address: str | None
    ) -> User | None:
        user = await users.by_email(tx.connection, email)
        if not self._lets_in(user, email):
            return None
        if user is not None:
            return user
        try:
            async with tx.connection.begin_nested():
                user = await users.add(tx.connection, email=email)
        except EmailTakenError:  # two codes for one new address, entered at the same time
            return await users.by_email(tx.connection, email)
        await tx.record(user.sub, "auth.sign_up", f"user:{user.id}", address=address)
        return user


def _may_do_later(exc: Exception) -> bool:
    return isinstance(exc, MailServerDownError) or is_away(exc)
