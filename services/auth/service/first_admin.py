"""The admin whom the settings name, created once."""

from dataclasses import dataclass

import structlog
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from services.auth.domain import email_address
from services.auth.domain import username as checked_username
from services.auth.passwords import Passwords, check_password
from services.auth.repository import users
from services.auth.tables import BOOKS
from shared.contracts.auth import Role
from shared.store.transaction import Transaction, transaction

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FirstAdmin:
    """FIRST_ADMIN_USERNAME, _EMAIL and _PASSWORD, as the settings have them."""

    username: str
    email: str
    password: SecretStr


async def ensure_admin(engine: AsyncEngine, passwords: Passwords, first: FirstAdmin | None) -> None:
    """Create the first admin, once, however many processes start at the same time.

    Raises ValueError or InvalidInputError for settings that do not fit.
    """
    async with transaction(engine, BOOKS) as tx:
        await users.lock_first_admin(tx.connection)
        if await users.lock_admins(tx.connection):
            return
        if first is None:
            log.warning("no_admin", hint="set FIRST_ADMIN_USERNAME, _PASSWORD and _EMAIL")
            return
        await _create(tx, first, passwords)


async def _create(tx: Transaction, first: FirstAdmin, passwords: Passwords) -> None:
    email, name = email_address(first.email), checked_username(first.username)
    password = first.password.get_secret_value()
    check_password(password, names=(name, email), field="FIRST_ADMIN_PASSWORD")
    password_hash = await passwords.hashed(password)
    known = await users.by_email(tx.connection, email)
    if known is None:
        user = await users.add(
            tx.connection, email=email, username=name, password_hash=password_hash, role=Role.ADMIN
        )
    else:
        # They had signed up by a mailed code before the settings named them.
        values = {
            "username": name,
            "password_hash": password_hash,
            "role": Role.ADMIN.value,
            "disabled": False,
        }
        user = await users.change(tx.connection, known.id, values)
    await tx.record(None, "auth.first_admin", f"user:{user.id}")
    log.info("first_admin_made", username=name)
