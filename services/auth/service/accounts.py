"""People's accounts: one's own, and all of them for admins."""

import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from services.auth.domain import (
    ACCOUNT_BACK_OFF,
    EmailAddress,
    FamilyId,
    User,
    UserId,
    limit_key,
)
from services.auth.errors import (
    ConfirmationNeededError,
    LastAdminError,
    TooManyAttemptsError,
    WrongCodeError,
    WrongPasswordError,
)
from services.auth.passwords import Passwords, check_password
from services.auth.repository import limits, revocations, sessions, users
from services.auth.service.access import own_account, refuse_narrowed, require_admin
from services.auth.service.codes import Codes
from services.auth.tables import BOOKS
from shared.contracts.auth import Caller, Mark, Role
from shared.errors import ForbiddenError, NotFoundError
from shared.http.paging import Slice
from shared.store.transaction import transaction


@dataclass(frozen=True, slots=True)
class NewUser:
    """An account to be created by an admin."""

    email: EmailAddress
    username: str | None
    password: str | None
    role: Role


@dataclass(frozen=True, slots=True)
class OwnChange:
    """Changes to one's own account; None leaves a field as it is.

    A password is set with the current one, or with a code that was mailed for this.
    """

    username: str | None
    password: str | None
    current_password: str | None
    challenge_id: str | None
    code: str | None


@dataclass(frozen=True, slots=True)
class Accounts:
    """Reads and changes people's accounts."""

    engine: AsyncEngine
    passwords: Passwords
    codes: Codes

    async def own(self, caller: Caller) -> User | None:
        """The caller's account; None for a machine client.

        Raises UnauthenticatedError when the account has been disabled since the token was made.
        """
        async with self.engine.connect() as connection:
            return await own_account(connection, caller)

    async def change_own(
        self, caller: Caller, change: OwnChange, *, session: str | None, address: str | None
    ) -> User:
        """Change one's user name or password; a new password ends one's other sessions.

        Raises ConfirmationNeededError, WrongPasswordError, WrongCodeError and
        TooManyAttemptsError for a password that may not be changed so, InvalidInputError for a
        weak one, UsernameTakenError.
        """
        user = await self.own(caller)
        if user is None:
            raise ForbiddenError("a machine client has no account to change")
        refuse_narrowed(caller)
        family_id = _family(session)
        values: dict[str, Any] = {}
        if change.username is not None:
            values["username"] = change.username
        if change.password is not None:
            names = (change.username or user.username or "", *_names(user.email))
            check_password(change.password, names=names)
            await self._confirm(user, change)
            values["password_hash"] = await self.passwords.hashed(change.password)
        if not values:
            return user
        async with transaction(self.engine, BOOKS) as tx:
            user = await users.change(tx.connection, user.id, values)
            ended: list[FamilyId] = []
            if change.password is not None:
                ended = await sessions.end_all(
                    tx.connection, user.id, because="password_changed", but=family_id
                )
            await tx.record(
                caller,
                "user.change_own",
                f"user:{user.id}",
                address=address,
                changed=sorted(name.removesuffix("_hash") for name in values),
                ended_sessions=len(ended),
            )
            await revocations.add(tx.connection, (Mark.SESSION.of(str(id_)) for id_ in ended))
        return user

    async def page(
        self, caller: Caller, *, query: str | None, after: str | None, limit: int
    ) -> Slice[User]:
        """A page of accounts by address; `query` is a part of the address or the name."""
        async with self.engine.connect() as connection:
            await require_admin(connection, caller)
            return await users.page(
                connection,
                query=query,
                after=EmailAddress(after) if after else None,
                limit=limit,
            )

    async def add(self, caller: Caller, new: NewUser, *, address: str | None) -> User:
        """Create an account. Raises EmailTakenError, UsernameTakenError, InvalidInputError."""
        password_hash = None
        if new.password is not None:
            check_password(new.password, names=(new.username or "", *_names(new.email)))
        async with self.engine.connect() as connection:
            await require_admin(connection, caller)
        if new.password is not None:
            password_hash = await self.passwords.hashed(new.password)
        async with transaction(self.engine, BOOKS) as tx:
            user = await users.add(
                tx.connection,
                email=new.email,
                username=new.username,
                password_hash=password_hash,
                role=new.role,
            )
            await tx.record(
                caller, "user.create", f"user:{user.id}", address=address, role=user.role.value
            )
            await tx.seal()
        return user

    async def change(
        self,
        caller: Caller,
        user_id: uuid.UUID,
        *,
        role: Role | None,
        disabled: bool | None,
        address: str | None,
    ) -> User:
        """Set the role, disable or enable. Disabling ends the person's sessions.

        A new role or the end of an account revokes the access tokens that are out.

        Raises NotFoundError, and LastAdminError when no admin would be left.
        """
        async with transaction(self.engine, BOOKS) as tx:
            # Locked before the account itself, so that two admins cannot demote one another.
            admins = await users.lock_admins(tx.connection)
            await require_admin(tx.connection, caller)
            user = await users.by_id(tx.connection, UserId(user_id), lock=True)
            if user is None:
                raise NotFoundError("there is no such account")
            stays_admin = (role or user.role) is Role.ADMIN and not (
                user.disabled if disabled is None else disabled
            )
            if admins == [user.id] and not stays_admin:
                raise LastAdminError
            values: dict[str, Any] = {}
            if role is not None and role is not user.role:
                values["role"] = role.value
            if disabled is not None and disabled is not user.disabled:
                values["disabled"] = disabled
            if not values:
                return user
            user = await users.change(tx.connection, user.id, values)
            if disabled:
                await sessions.end_all(tx.connection, user.id, because="disabled")
            await tx.record(caller, "user.change", f"user:{user.id}", address=address, **values)
            if disabled or "role" in values:
                await revocations.add(tx.connection, [Mark.SUBJECT.of(user.sub)])
        return user

    async def _confirm(self, user: User, change: OwnChange) -> None:
        """Make sure that it is the person who sets a password, not whoever holds the token."""
        if change.challenge_id is not None and change.code is not None:
            if not await self.codes.confirms(change.challenge_id, change.code, email=user.email):
                raise WrongCodeError
        elif change.current_password is not None and user.has_password:
            await self._check_current(user, change.current_password)
        else:
            raise ConfirmationNeededError

    async def _check_current(self, user: User, current_password: str) -> None:
        # Counted like a sign-in: a stolen access token must not become a way to guess.
        key = limit_key("confirm", user.sub)
        async with self.engine.begin() as connection:
            wait_s = await limits.take_attempt(connection, key, ACCOUNT_BACK_OFF)
        if wait_s is not None:
            raise TooManyAttemptsError(wait_s)
        if not await self.passwords.fits(user.password_hash, current_password):
            raise WrongPasswordError
        async with self.engine.begin() as connection:
            await limits.forget_attempts(connection, key)


def _family(session: str | None) -> FamilyId | None:
    return FamilyId(uuid.UUID(session)) if session else None


def _names(email: EmailAddress) -> tuple[str, ...]:
    return (email, email.partition("@")[0])
