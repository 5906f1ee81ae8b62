"""The ring of signing keys: current, next, and those whose tokens may still be valid.

A key is public long before it signs and stays public until its last token has expired, so a change
of keys refuses no token. Keys take turns by the database's clock; every process reads the ring
again each half minute.
"""

import asyncio
import datetime as dt
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.auth import tokens
from services.auth.domain import PUBLISH_AHEAD_S, Kid, Rotation, SigningKey
from services.auth.repository import keys as repository
from services.auth.repository import revocations
from services.auth.service.access import require_admin
from services.auth.tables import BOOKS
from shared.away import is_away
from shared.contracts.auth import Caller, Mark
from shared.store.transaction import transaction

READ_EVERY_S = 30.0

log = structlog.get_logger()


@dataclass(slots=True)
class KeyRing:
    """The keys as one process sees them, and the changes to them."""

    engine: AsyncEngine
    secret: bytes = field(repr=False)
    _keys: Sequence[SigningKey] = ()
    _open: dict[Kid, tokens.OpenKey] = field(default_factory=dict)
    _ahead_s: float = 0.0
    """Seconds by which the database's clock is ahead of ours."""
    _read_at: float = float("-inf")
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def signing_key(self) -> tokens.OpenKey:
        """The key that signs now."""
        await self._read()
        moment = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self._ahead_s)
        current, sealed = self._signing(moment)
        if current.kid not in self._open:
            self._open[current.kid] = tokens.open_key(sealed, kid=current.kid, secret=self.secret)
        return self._open[current.kid]

    def forget(self) -> None:
        """Read the ring again at the next use."""
        self._read_at = float("-inf")

    def clock(self) -> float:
        """Now, in seconds since 1970, by the database's clock as far as it is known."""
        return time.time() + self._ahead_s

    async def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """The public halves; the last ones known while the database is away."""
        try:
            await self._read()
        except Exception as exc:
            if not (self._keys and is_away(exc)):
                raise
            log.warning("key_ring_not_read", error=type(exc).__name__)
        return {"keys": [dict(key.public_jwk) for key in self._keys]}

    async def prepare(self) -> None:
        """At start: create the first two keys, or check that those there can be opened.

        Raises SigningKeysLockedError when SIGNING_KEY_SECRET is not the one that sealed them.
        """
        async with self.engine.begin() as connection:
            await repository.lock(connection)
            keys = await repository.public(connection)
            if not keys:
                await self._first_pair(connection)
            for key in keys:
                if key.sealed_private_key is not None:
                    tokens.open_key(key.sealed_private_key, kid=key.kid, secret=self.secret)

    async def rotate(self, caller: Caller, *, address: str | None) -> Rotation:
        """As `turn`, for an admin; raises ForbiddenError for anyone else."""
        async with self.engine.connect() as connection:
            await require_admin(connection, caller)
        return await self.turn(actor=caller.sub, address=address)

    async def turn(self, *, actor: str, address: str | None = None) -> Rotation:
        """Let the next key sign as soon as every verifier knows it, and publish one after it.

        While an earlier rotation has not taken effect, this answers that rotation again.
        """
        async with transaction(self.engine, BOOKS) as tx:
            await repository.lock(tx.connection)
            moment = await repository.now(tx.connection)
            current, following = (await repository.public(tx.connection))[-2:]
            assert current.signs_from is not None
            # Farther ahead than any rotation: the clock was set back since.
            latest = moment + dt.timedelta(seconds=PUBLISH_AHEAD_S)
            if moment < current.signs_from <= latest:
                return Rotation(current.kid, current.signs_from, next_kid=following.kid)
            signs_from = max(moment, min(following.usable_from, latest))
            await repository.hand_over(
                tx.connection, old=current.kid, new=following.kid, moment=signs_from
            )
            next_kid = await self._publish(tx.connection, usable_from=latest)
            await repository.forget_retired(tx.connection)
            await tx.record(
                actor,
                "auth.rotate_keys",
                f"key:{following.kid}",
                address=address,
                signs_from=signs_from.isoformat(),
                next=next_kid,
            )
            await tx.seal()
        self.forget()
        return Rotation(following.kid, signs_from, next_kid=next_kid)

    async def replace_all(self, *, actor: str) -> Rotation:
        """After a leak, or with a lost SIGNING_KEY_SECRET: delete every key and create two.

        Access tokens end with them, within seconds. Auth signs with the new key within 30 s, and
        verifiers read it when they first meet it. Sessions continue: their refresh tokens are no
        JWTs.
        """
        async with transaction(self.engine, BOOKS) as tx:
            await repository.lock(tx.connection)
            dropped = await repository.forget_all(tx.connection)
            await self._first_pair(tx.connection)
            current, following = await repository.public(tx.connection)
            await tx.record(actor, "auth.replace_keys", f"key:{current.kid}", dropped=dropped)
            await revocations.add(tx.connection, [Mark.ALL.of()])
        assert current.signs_from is not None
        return Rotation(current.kid, current.signs_from, next_kid=following.kid)

    def _signing(self, moment: dt.datetime) -> tuple[SigningKey, bytes]:
        # The first whose turn is not over. When the database's clock was set back, its turn may lie
        # ahead and earlier keys be retired: every verifier knows it all the same.
        return next(
            (key, key.sealed_private_key)
            for key in self._keys
            if key.sealed_private_key is not None
            and (key.signs_until is None or moment < key.signs_until)
        )

    async def _read(self) -> None:
        async with self._reading:
            if time.monotonic() - self._read_at < READ_EVERY_S:
                return
            async with self.engine.connect() as connection:
                moment = await repository.clock(connection)
                # At once: by as much as this takes longer, tokens would be issued in the past, and
                # those of the next sign-in fall under a revocation that was before it.
                self._ahead_s = (moment - dt.datetime.now(dt.UTC)).total_seconds()
                keys = await repository.public(connection)
            self._keys = keys
            known = {key.kid for key in keys}
            self._open = {kid: key for kid, key in self._open.items() if kid in known}
            self._read_at = time.monotonic()

    async def _first_pair(self, connection: AsyncConnection) -> None:
        # No verifier can have read a set of keys without them: both may sign at once.
        moment = await repository.now(connection)
        await self._publish(connection, usable_from=moment, signs_from=moment)
        await self._publish(connection, usable_from=moment)

    async def _publish(
        self,
        connection: AsyncConnection,
        *,
        usable_from: dt.datetime,
        signs_from: dt.datetime | None = None,
    ) -> Kid:
        key = tokens.new_key()
        await repository.add(
            connection,
            kid=key.kid,
            public_jwk=key.public_jwk,
            sealed_private_key=tokens.seal(key.private_pem, kid=key.kid, secret=self.secret),
            usable_from=usable_from,
            signs_from=signs_from,
        )
        return key.kid
