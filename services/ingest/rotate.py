"""Move every sealed password and webhook secret to the first key of SOURCE_KEYS.

Run as `python -m services.ingest.rotate`.

To change the key: put the new one in front (`SOURCE_KEYS=new,old`), restart the API and the
workers, run this, then take the old one out. It may run while imports do, and be run again.
"""

import asyncio
from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.ingest.connections import repository
from services.ingest.connections.domain import Sealed, SourceId, source_row
from services.ingest.feeds import repository as feeds
from services.ingest.feeds.domain import FeedId
from services.ingest.feeds.headers import feed_row
from services.ingest.runs import reads
from services.ingest.runs.reads import read_row
from services.ingest.settings import IngestSettings
from services.ingest.webhooks import repository as webhooks
from services.ingest.webhooks.domain import secret_row
from shared.process.logging import configure_logging
from shared.process.settings import of_environment
from shared.security.sealing import Keyring
from shared.store.engine import database_engine

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Rotated:
    """How many passwords and secrets were moved, and how many there are."""

    moved: int
    total: int


async def rotate(engine: AsyncEngine, keyring: Keyring) -> Rotated:
    """Reseal what another key than the first sealed, in one transaction.

    Raises SealBrokenError, and changes nothing, when a password cannot be opened.
    """
    async with engine.begin() as connection:
        return await _rotate(connection, keyring)


async def _rotate(connection: AsyncConnection, keyring: Keyring) -> Rotated:
    moved = total = 0
    for sealed in await repository.sealed(connection):
        total += 1
        if resealed := _resealed(sealed, keyring, row=source_row(SourceId(sealed.id))):
            await repository.reseal(connection, resealed)
            moved += 1
    for sealed in await reads.sealed(connection):
        total += 1
        if resealed := _resealed(sealed, keyring, row=read_row(sealed.id)):
            await reads.reseal(connection, resealed)
            moved += 1
    for webhook in await webhooks.sealed(connection):
        row = secret_row(webhook.id)
        now = [_resealed(sealed, keyring, row=row) for sealed in webhook.secrets]
        total, moved = total + len(now), moved + len([new for new in now if new is not None])
        if any(now):
            secrets = [new or old for new, old in zip(now, webhook.secrets, strict=True)]
            await webhooks.reseal(connection, webhook.id, secrets)
    for sealed in await feeds.sealed(connection):
        total += 1
        if resealed := _resealed(sealed, keyring, row=feed_row(FeedId(sealed.id))):
            await feeds.reseal(connection, resealed)
            moved += 1
    return Rotated(moved=moved, total=total)


def _resealed(sealed: Sealed, keyring: Keyring, *, row: str) -> Sealed | None:
    if keyring.is_current(sealed.password):
        return None
    return Sealed(sealed.id, keyring.seal(keyring.open(sealed.password, row=row), row=row))


async def _main() -> None:
    settings = of_environment(IngestSettings)
    configure_logging(
        service="ingest-rotate", level=settings.log_level, log_format=settings.log_format
    )
    if settings.source_keys is None:
        raise SystemExit("SOURCE_KEYS is not set: there is nothing to rotate to")
    keyring = Keyring(settings.source_keys.get_secret_value(), setting="SOURCE_KEYS")
    async with database_engine(
        settings.database_url.get_secret_value(), application_name="tabularium-ingest:rotate"
    ) as engine:
        rotated = await rotate(engine, keyring)
    log.info("source_passwords_rotated", moved=rotated.moved, total=rotated.total)


if __name__ == "__main__":
    asyncio.run(_main())
