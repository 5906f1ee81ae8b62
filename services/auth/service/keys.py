"""The ring of signing keys: current, next, and those whose tokens are still about.

A key is public long before it signs and stays public until its last token is gone, so a change
of keys refuses nobody. Keys take turns by the database's clock; every process reads the ring
anew each half minute.
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
from services.auth.domain import PUBLISH_AHEAD_S, Kid, SigningKey
from services.auth.repository import keys as repository
from services.auth.service.accounts import require_admin
from shared.contracts.auth import Caller
from shared.store.audit import record_event
from shared.store.away import is_away

READ_EVERY_S = 30.0

log = structlog.get_logger()


@dataclass(frozen=True)
class Rotation:
    """Which key signs from when, and which one comes after it."""

    kid: Kid
    signs_from: dt.datetime
    next_kid: Kid


@dataclass
class KeyRing:
    """The keys as one process sees them."""

    engine: AsyncEngine
    secret: bytes
    _keys: Sequence[SigningKey] = ()
    _open: dict[Kid, tokens.OpenKey] = field(default_factory=dict)
    _ahead_s: float = 0.0
    """How far the database's clock is ahead of ours."""
    _read_at: float = float("-inf")
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def signing_key(self) -> tokens.OpenKey:
        """The key that signs now."""
        await self._read()
        moment = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self._ahead_s)
        current = next(key for key in self._keys if key.signs_at(moment))
        if current.kid not in self._open:
            assert current.sealed_private_key is not None
            self._open[current.kid] = tokens.open_key(
                current.sealed_private_key, kid=current.kid, secret=self.secret
            )
        return self._open[current.kid]

    async def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """The public halves; the last ones known while the database is away."""
        try:
            await self._read()
        except Exception as exc:
            if not (self._keys and is_away(exc)):
                raise
            log.warning("key_ring_not_read", error=type(exc).__name__)
        return {"keys": [dict(key.public_jwk) for key in self._keys]}

    def forget(self) -> None:
        """Read the ring anew at the next use."""
        self._read_at = float("-inf")

    async def _read(self) -> None:
        async with self._reading:
            if time.monotonic() - self._read_at < READ_EVERY_S:
                return
            async with self.engine.connect() as connection:
                moment = await repository.now(connection)
                keys = await repository.public(connection)
            self._ahead_s = (moment - dt.datetime.now(dt.UTC)).total_seconds()
            self._keys = keys
            known = {key.kid for key in keys}
            self._open = {kid: key for kid, key in self._open.items() if kid in known}
            self._read_at = time.monotonic()


async def ensure_keys(engine: AsyncEngine, *, secret: bytes) -> None:
    """At start: make the first two keys, or see that those there can be opened.

    Raises SigningKeysLockedError when SIGNING_KEY_SECRET is not the one they were sealed with.
    """
    async with engine.begin() as connection:
        await repository.lock(connection)
        keys = await repository.public(connection)
        if not keys:
            await _first_pair(connection, secret=secret)
        for key in keys:
            if key.sealed_private_key is not None:
                tokens.open_key(key.sealed_private_key, kid=key.kid, secret=secret)


async def rotate(
    engine: AsyncEngine, *, secret: bytes, actor: str, address: str | None = None
) -> Rotation:
    """Let the next key sign as soon as every verifier knows it, and publish one after it.

    A rotation that has been ordered and has not come about yet is answered again.
    """
    async with engine.begin() as connection:
        await repository.lock(connection)
        moment = await repository.now(connection)
        keys = await repository.public(connection)
        current, following = keys[-2], keys[-1]
        assert current.signs_from is not None
        if current.signs_from > moment:
            return Rotation(kid=current.kid, signs_from=current.signs_from, next_kid=following.kid)
        signs_from = max(moment, following.usable_from)
        await repository.hand_over(
            connection, old=current.kid, new=following.kid, moment=signs_from
        )
        next_kid = await _publish(
            connection,
            secret=secret,
            usable_from=moment + dt.timedelta(seconds=PUBLISH_AHEAD_S),
        )
        await repository.forget_retired(connection)
        await record_event(
            connection,
            subject=actor,
            action="auth.rotate_keys",
            object_=f"key:{following.kid}",
            address=address,
            detail={"signs_from": signs_from.isoformat(), "next": next_kid},
        )
    return Rotation(kid=following.kid, signs_from=signs_from, next_kid=next_kid)


async def rotate_for(ring: KeyRing, caller: Caller, *, address: str | None) -> Rotation:
    """Rotate for an admin; raises ForbiddenError for anybody else."""
    async with ring.engine.connect() as connection:
        await require_admin(connection, caller)
    rotation = await rotate(ring.engine, secret=ring.secret, actor=caller.sub, address=address)
    ring.forget()
    return rotation


async def replace_all(engine: AsyncEngine, *, secret: bytes, actor: str) -> Rotation:
    """After a leak, or with a lost SIGNING_KEY_SECRET: drop every key and make two new ones.

    Running processes follow as soon as they read the keys anew (auth within 30 s, verifiers
    within 300 s). Sessions go on: their refresh tokens are no JWTs.
    """
    async with engine.begin() as connection:
        await repository.lock(connection)
        dropped = await repository.forget_all(connection)
        await _first_pair(connection, secret=secret)
        current, following = await repository.public(connection)
        await record_event(
            connection,
            subject=actor,
            action="auth.replace_keys",
            object_=f"key:{current.kid}",
            detail={"dropped": dropped},
        )
    assert current.signs_from is not None
    return Rotation(kid=current.kid, signs_from=current.signs_from, next_kid=following.kid)


async def _first_pair(connection: AsyncConnection, *, secret: bytes) -> None:
    # Nobody can have read a set of keys without them: both may sign at once.
    moment = await repository.now(connection)
    await _publish(connection, secret=secret, usable_from=moment, signs_from=moment)
    await _publish(connection, secret=secret, usable_from=moment)


async def _publish(
    connection: AsyncConnection,
    *,
    secret: bytes,
    usable_from: dt.datetime,
    signs_from: dt.datetime | None = None,
) -> Kid:
    key = tokens.new_key()
    await repository.add(
        connection,
        kid=key.kid,
        public_jwk=key.public_jwk,
        sealed_private_key=tokens.seal(key.private_pem, kid=key.kid, secret=secret),
        usable_from=usable_from,
        signs_from=signs_from,
    )
    return key.kid
