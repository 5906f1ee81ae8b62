"""What one process of auth holds, and what it does beside its requests."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from services.auth.mailer import CodeMails, MailServer
from services.auth.passwords import Passwords, password_hashing
from services.auth.service.accounts import Accounts
from services.auth.service.api_keys import ApiKeys
from services.auth.service.codes import CodeLimits, Codes, SignUpPolicy
from services.auth.service.first_admin import FirstAdmin, ensure_admin
from services.auth.service.housekeeping import Housekeeping
from services.auth.service.keys import KeyRing
from services.auth.service.machines import Machines
from services.auth.service.revocations import LISTEN_AGAIN_S, RELOAD_EVERY_S, RevocationFeed
from services.auth.service.sessions import Sessions
from services.auth.service.signing import Signer
from services.auth.service.subjects import Subjects
from services.auth.service.trail import Trail
from services.auth.settings import AuthSettings
from shared.process.duties import Duty, on_duty
from shared.process.stopping import stop_event
from shared.security.tokens import Verifier
from shared.store.engine import database_engine

MAILS_AT_ONCE = 8
MAILS_WAITING = 1000
SHUTDOWN_GRACE_S = 5.0
"""A process that stops goes on sending queued mails for so many seconds."""
LOOK_EVERY_S = 2.0
TIDY_EVERY_S = 600.0


@dataclass(frozen=True, slots=True)
class AuthProcess:
    """Made once when the process starts, the same for every request."""

    engine: AsyncEngine
    verifier: Verifier
    keys: KeyRing
    sessions: Sessions
    codes: Codes
    accounts: Accounts
    machines: Machines
    api_keys: ApiKeys
    revocations: RevocationFeed
    subjects: Subjects
    trail: Trail


@asynccontextmanager
async def opened(settings: AuthSettings) -> AsyncIterator[AuthProcess]:
    """Everything opened and running, signing keys and first admin included; ended in reverse."""
    async with database_engine(
        settings.database_url.get_secret_value(),
        application_name="tabularium-auth:engine",
        pool_size=settings.database_pool_size,
    ) as engine:
        with password_hashing(
            memory_kib=settings.argon2_memory_kib,
            passes=settings.argon2_passes,
            threads=settings.hashing_threads,
            queue=settings.hashing_queue,
        ) as passwords:
            keys = KeyRing(engine=engine, secret=settings.signing_key_secret_bytes)
            await keys.prepare()
            await ensure_admin(engine, passwords, _first_admin(settings))
            async with stop_event() as stopping:
                feed = RevocationFeed(
                    engine,
                    settings.direct_url,
                    stopping=stopping,
                    keys_replaced=keys.forget,
                )
                process = _process(settings, engine, keys, passwords, feed)
                async with on_duty(*_duties(process)):
                    yield process
                    await process.codes.delivered(within_s=SHUTDOWN_GRACE_S)


def _process(
    settings: AuthSettings,
    engine: AsyncEngine,
    keys: KeyRing,
    passwords: Passwords,
    feed: RevocationFeed,
) -> AuthProcess:
    signer = Signer(keys, issuer=settings.token_issuer, audience=settings.token_audience)
    sessions = Sessions(
        engine=engine,
        signer=signer,
        passwords=passwords,
        internal_clients=settings.internal_clients,
        refresh_lifetime=dt.timedelta(days=settings.refresh_idle_days),
        session_lifetime=dt.timedelta(days=settings.session_days),
    )
    codes = _codes(settings, engine, sessions)
    return AuthProcess(
        engine=engine,
        verifier=Verifier(keys, settings, revoked=feed.revoked),
        keys=keys,
        sessions=sessions,
        codes=codes,
        accounts=Accounts(engine, passwords, codes),
        machines=Machines(engine, internal_ids=frozenset(settings.internal_clients)),
        api_keys=ApiKeys(engine, signer),
        revocations=feed,
        subjects=Subjects(engine),
        trail=Trail(engine),
    )


def _codes(settings: AuthSettings, engine: AsyncEngine, sessions: Sessions) -> Codes:
    return Codes(
        engine=engine,
        sessions=sessions,
        server=MailServer(settings),
        mails=CodeMails(settings),
        pepper=settings.otp_pepper.get_secret_value(),
        policy=SignUpPolicy(settings.sign_up, frozenset(settings.sign_up_domains)),
        limits=CodeLimits(
            per_address=settings.otp_per_address_per_hour,
            per_ip=settings.otp_per_ip_per_hour,
            overall=settings.otp_overall_per_hour,
        ),
        waiting=asyncio.Queue(MAILS_WAITING),
        spread_s=settings.otp_mail_spread_s,
    )


def _first_admin(settings: AuthSettings) -> FirstAdmin | None:
    name, email = settings.first_admin_username, settings.first_admin_email
    password = settings.first_admin_password
    if name is None or email is None or password is None:
        return None
    return FirstAdmin(name, email, password)


def _duties(process: AuthProcess) -> tuple[Duty, ...]:
    codes, feed = process.codes, process.revocations
    return (
        *(Duty(f"mail-{number}", codes.deliver_next, 0) for number in range(MAILS_AT_ONCE)),
        Duty("mail-server", codes.server.look_again, LOOK_EVERY_S),
        Duty("revocations", feed.reload, RELOAD_EVERY_S, woken_by=feed.stale),
        Duty("revocation-notices", feed.listen, LISTEN_AGAIN_S),
        Duty("tidy", Housekeeping(process.engine).tidy, TIDY_EVERY_S),
    )
