"""What must be true before the first request: signing keys, and an admin if settings name one."""

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.auth.domain import EmailAddress, email_address
from services.auth.domain import username as checked_username
from services.auth.passwords import Passwords, check_password
from services.auth.repository import users
from services.auth.service.keys import ensure_keys
from services.auth.settings import AuthSettings
from shared.contracts.auth import Role
from shared.store.audit import record_event

log = structlog.get_logger()


async def prepare(engine: AsyncEngine, settings: AuthSettings, passwords: Passwords) -> None:
    """Make keys and the first admin, once, however many processes start at the same time.

    Raises SigningKeysLockedError, and ValueError or InvalidInputError for an admin's settings
    that do not fit.
    """
    await ensure_keys(engine, secret=settings.signing_key_secret_bytes)
    async with engine.begin() as connection:
        await users.lock_first_admin(connection)
        if await users.lock_admins(connection):
            return
        if not settings.first_admin_email:
            log.warning("no_admin", hint="set FIRST_ADMIN_USERNAME, _PASSWORD and _EMAIL")
            return
        await _first_admin(connection, settings, passwords)


async def _first_admin(
    connection: AsyncConnection, settings: AuthSettings, passwords: Passwords
) -> None:
    assert settings.first_admin_email is not None
    assert settings.first_admin_username is not None
    assert settings.first_admin_password is not None
    email: EmailAddress = email_address(settings.first_admin_email)
    name = checked_username(settings.first_admin_username)
    password = settings.first_admin_password.get_secret_value()
    check_password(password, names=(name, email), field="FIRST_ADMIN_PASSWORD")
    password_hash = await passwords.hashed(password)
    known = await users.by_email(connection, email)
    if known is None:
        user = await users.add(
            connection, email=email, username=name, password_hash=password_hash, role=Role.ADMIN
        )
    else:
        # They had signed up by a mailed code before the settings named them.
        values = {
            "username": name,
            "password_hash": password_hash,
            "role": Role.ADMIN.value,
            "disabled": False,
        }
        user = await users.change(connection, known.id, values)
    await record_event(
        connection, subject=None, action="auth.first_admin", object_=f"user:{user.id}"
    )
    log.info("first_admin_made", username=name)
