"""Addresses that others had us write to: how often they were, and whether they want it.

An address that is a caller's own is none of these: everybody may have any number of mails to
oneself. Each function is one statement by asyncpg.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, LiteralString
from urllib.parse import quote

from shared.store.engine import RawConnection, RawPool

SIGNATURE_BYTES = 16

# A turn is taken by the statement that finds it free, so two workers never take one too many.
TAKE_TURN: Final[LiteralString] = """
INSERT INTO ingest.mail_addresses AS a (address, sent) VALUES ($1, ARRAY[now()])
ON CONFLICT (address) DO UPDATE SET sent = now() || coalesce(
    (SELECT array_agg(at) FROM unnest(a.sent) AS at WHERE at > now() - interval '1 day'), '{}')
WHERE a.stopped_at IS NULL
  AND (SELECT count(*) FILTER (WHERE at > now() - interval '1 hour') < $2 AND count(*) < $3
       FROM unnest(a.sent) AS at WHERE at > now() - interval '1 day')
RETURNING true"""

GIVE_TURN_BACK: Final[LiteralString] = """
UPDATE ingest.mail_addresses SET sent = sent[2:] WHERE address = $1"""

STOPPED: Final[LiteralString] = """
SELECT stopped_at IS NOT NULL FROM ingest.mail_addresses WHERE address = $1"""

STOP: Final[LiteralString] = """
INSERT INTO ingest.mail_addresses (address, stopped_at) VALUES ($1, now())
ON CONFLICT (address) DO UPDATE SET stopped_at = excluded.stopped_at"""

RESUME: Final[LiteralString] = """
UPDATE ingest.mail_addresses SET stopped_at = NULL WHERE address = $1"""

GATHER: Final[LiteralString] = """
INSERT INTO ingest.gathered_mails (address, import_id, lease, notice) VALUES ($1, $2, $3, $4::jsonb)
ON CONFLICT DO NOTHING"""

GATHERED: Final[LiteralString] = """
SELECT import_id, lease, notice FROM ingest.gathered_mails
WHERE address = $1 ORDER BY import_id, lease LIMIT 1000"""

FORGET: Final[LiteralString] = """
DELETE FROM ingest.gathered_mails g USING unnest($2::bigint[], $3::bigint[]) AS sent (id, lease)
WHERE g.address = $1 AND g.import_id = sent.id AND g.lease = sent.lease"""

WAITING: Final[LiteralString] = """
SELECT DISTINCT address FROM ingest.gathered_mails ORDER BY address LIMIT 1000"""

FORGET_OLD: Final[LiteralString] = """
DELETE FROM ingest.mail_addresses a
WHERE stopped_at IS NULL AND NOT EXISTS (
    SELECT 1 FROM unnest(a.sent) AS at WHERE at > now() - interval '1 day')"""


class Turn(StrEnum):
    """Whether a mail may go to an address now."""

    FREE = "free"
    LATER = "later"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Gathered:
    """A notice that waits for the next mail to its address."""

    import_id: int
    lease: int
    notice: str
    """JSON."""


async def take_turn(pool: RawPool, address: str, *, per_hour: int, per_day: int) -> Turn:
    """Take one of the mails that may go to an address within an hour and a day."""
    if await pool.fetchval(TAKE_TURN, _key(address), per_hour, per_day):
        return Turn.FREE
    stopped = await pool.fetchval(STOPPED, _key(address))
    return Turn.STOPPED if stopped else Turn.LATER


async def give_turn_back(pool: RawPool, address: str) -> None:
    """The mail was not sent after all."""
    await pool.execute(GIVE_TURN_BACK, _key(address))


async def stop(pool: RawPool, address: str) -> None:
    """No mails to this address any more, but from the one whose own it is."""
    await pool.execute(STOP, _key(address))


async def resume(pool: RawPool, address: str) -> None:
    """Mails to this address again."""
    await pool.execute(RESUME, _key(address))


async def gather(
    pool: RawPool, address: str, *, import_id: int, lease: int, notice: Mapping[str, Any] | str
) -> None:
    """Keep a notice (JSON) for the next mail to its address; a second time changes nothing."""
    await pool.execute(GATHER, _key(address), import_id, lease, notice)


async def gathered(pool: RawPool, address: str) -> list[Gathered]:
    """What waits for the next mail to an address, oldest first, at most 1,000."""
    rows = await pool.fetch(GATHERED, _key(address))
    return [Gathered(row["import_id"], row["lease"], row["notice"]) for row in rows]


async def forget(connection: RawConnection, address: str, sent: Sequence[Gathered]) -> None:
    """These were sent."""
    ids, leases = [item.import_id for item in sent], [item.lease for item in sent]
    await connection.execute(FORGET, _key(address), ids, leases)


async def waiting(pool: RawPool) -> list[str]:
    """Addresses for which something waits."""
    return [row["address"] for row in await pool.fetch(WAITING)]


async def forget_old(pool: RawPool) -> None:
    """Delete what says nothing any more of addresses."""
    await pool.execute(FORGET_OLD)


class StopLinks:
    """Signed links by which whoever reads an address's mail stops them.

    Nothing is stored: the signature is an HMAC-SHA-256 of the address.
    """

    def __init__(self, secret: str, *, public_url: str) -> None:
        self._key = hmac.digest(secret.encode(), b"tabularium mail stop", "sha256")
        self._public_url = public_url.rstrip("/")

    def link(self, address: str) -> str:
        """The link for an address."""
        content = _key(address).encode()
        token = base64.urlsafe_b64encode(self._signature(content) + content).decode().rstrip("=")
        return f"{self._public_url}/api/mail/stop?token={quote(token)}"

    def address(self, token: str) -> str | None:
        """The address that a link is for; None for a token that we never made."""
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
            signature, content = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
            address = content.decode()
        except (binascii.Error, ValueError):
            return None
        return address if hmac.compare_digest(signature, self._signature(content)) else None

    def _signature(self, content: bytes) -> bytes:
        return hmac.new(self._key, content, hashlib.sha256).digest()[:SIGNATURE_BYTES]


def _key(address: str) -> str:
    return address.strip().casefold()
