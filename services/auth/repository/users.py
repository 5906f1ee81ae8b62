"""People's accounts."""

import unicodedata
import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Row, func, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as insert_unless_there
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.auth.domain import EmailAddress, User, UserId, email_address
from services.auth.errors import EmailTakenError, UsernameTakenError
from services.auth.tables import reserved_subjects, users
from shared.contracts.auth import Role
from shared.http.paging import Slice, cut

COLUMNS = (
    users.c.id,
    users.c.email,
    users.c.username,
    users.c.password_hash,
    users.c.role,
    users.c.disabled,
    users.c.created_at,
)
LOCK_FIRST_ADMIN = text("SELECT pg_advisory_xact_lock(hashtext('tabularium.auth.first_admin'))")


async def by_id(connection: AsyncConnection, user_id: UserId, *, lock: bool = False) -> User | None:
    """The account of an id; with `lock`, locked until the transaction ends."""
    statement = select(*COLUMNS).where(users.c.id == user_id)
    if lock:
        statement = statement.with_for_update()
    return _user((await connection.execute(statement)).one_or_none())


async def by_email(connection: AsyncConnection, email: EmailAddress) -> User | None:
    """The account of an address."""
    return await _one(connection, users.c.email == email)


async def by_login(connection: AsyncConnection, login: str) -> User | None:
    """The account of a user name, or of an e-mail address; user names hold no `@`."""
    if "@" not in login:
        name = unicodedata.normalize("NFC", login.strip()).lower()
        return await _one(connection, func.lower(users.c.username) == name)
    try:
        email = email_address(login)
    except ValueError:
        return None
    return await by_email(connection, email)


async def lock_first_admin(connection: AsyncConnection) -> None:
    """Let one process at a time check whether there is an admin, until the transaction ends."""
    await connection.execute(LOCK_FIRST_ADMIN)


async def lock_admins(connection: AsyncConnection) -> list[UserId]:
    """The admins that may sign in, locked: two of them cannot remove each other at once."""
    rows = await connection.execute(
        select(users.c.id)
        .where(users.c.role == Role.ADMIN.value, users.c.disabled.is_(False))
        .order_by(users.c.id)
        .with_for_update()
    )
    return [UserId(row.id) for row in rows]


async def add(
    connection: AsyncConnection,
    *,
    email: EmailAddress,
    username: str | None = None,
    password_hash: str | None = None,
    role: Role = Role.MEMBER,
) -> User:
    """A new account, with the id reserved for its address if there is one.

    Raises EmailTakenError or UsernameTakenError.
    """
    reserved = (
        select(reserved_subjects.c.id).where(reserved_subjects.c.email == email).scalar_subquery()
    )
    statement = (
        insert(users)
        .values(
            id=func.coalesce(reserved, func.gen_random_uuid()),
            email=email,
            username=username,
            password_hash=password_hash,
            role=role.value,
        )
        .returning(*COLUMNS)
    )
    return await _changed(connection, statement)


async def reserve(connection: AsyncConnection, email: EmailAddress) -> UserId:
    """The id of an address: of its account, or of the one that it may get.

    The statements are the same for every address.
    """
    await connection.execute(
        insert_unless_there(reserved_subjects).values(email=email).on_conflict_do_nothing()
    )
    account = select(users.c.id).where(users.c.email == email).scalar_subquery()
    statement = select(func.coalesce(account, reserved_subjects.c.id)).where(
        reserved_subjects.c.email == email
    )
    return UserId((await connection.execute(statement)).scalar_one())


async def change(connection: AsyncConnection, user_id: UserId, values: Mapping[str, Any]) -> User:
    """Set columns of an account that exists. Raises UsernameTakenError."""
    statement = update(users).where(users.c.id == user_id).values(**values).returning(*COLUMNS)
    return await _changed(connection, statement)


async def page(
    connection: AsyncConnection, *, query: str | None, after: EmailAddress | None, limit: int
) -> Slice[User]:
    """Accounts by address, those after `after`; `query` is a part of the address or the name."""
    statement = select(*COLUMNS).order_by(users.c.email).limit(limit + 1)
    if after is not None:
        statement = statement.where(users.c.email > after)
    if query:
        statement = statement.where(
            or_(
                users.c.email.icontains(query, autoescape=True),
                users.c.username.icontains(query, autoescape=True),
            )
        )
    rows = await connection.execute(statement)
    return cut([_known(row) for row in rows], limit=limit, key=lambda user: (user.email,))


async def _one(connection: AsyncConnection, condition: ColumnElement[bool]) -> User | None:
    statement = select(*COLUMNS).where(condition)
    return _user((await connection.execute(statement)).one_or_none())


async def _changed(connection: AsyncConnection, statement: Any) -> User:
    try:
        return _known((await connection.execute(statement)).one())
    except IntegrityError as exc:
        constraint = getattr(exc.orig.__cause__, "constraint_name", None) if exc.orig else None
        if constraint == "uq_users_email":
            raise EmailTakenError("another account has this address") from exc
        if constraint == "uq_users_username":
            raise UsernameTakenError("another account has this user name") from exc
        raise


def _user(row: Row[*tuple[Any, ...]] | None) -> User | None:
    return None if row is None else _known(row)


def _known(row: Row[*tuple[Any, ...]]) -> User:
    return User(
        id=UserId(uuid.UUID(str(row.id))),
        email=EmailAddress(row.email),
        username=row.username,
        password_hash=row.password_hash,
        role=Role(row.role),
        disabled=row.disabled,
        created_at=row.created_at,
    )
