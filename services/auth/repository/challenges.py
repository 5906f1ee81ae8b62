"""Challenges: mailed codes that wait to be entered."""

import datetime as dt

from sqlalchemy import delete, func, insert, literal, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.auth.domain import ChallengeId, EmailAddress, TakenTry
from services.auth.tables import otp_challenges


async def add(
    connection: AsyncConnection,
    *,
    challenge_id: ChallengeId,
    email: EmailAddress,
    code_mac: bytes,
    lifetime: dt.timedelta,
) -> None:
    """A new challenge."""
    await connection.execute(
        insert(otp_challenges).values(
            id=challenge_id,
            email=email,
            code_mac=code_mac,
            expires_at=func.now() + literal(lifetime),
        )
    )


async def take_try(
    connection: AsyncConnection, challenge_id: str, *, tries: int
) -> TakenTry | None:
    """Count a try before anything is compared; None when the challenge takes no more."""
    row = (
        await connection.execute(
            update(otp_challenges)
            .where(
                otp_challenges.c.id == challenge_id,
                otp_challenges.c.tries < tries,
                otp_challenges.c.used_at.is_(None),
                otp_challenges.c.expires_at > func.clock_timestamp(),
            )
            .values(tries=otp_challenges.c.tries + 1)
            .returning(otp_challenges.c.email, otp_challenges.c.code_mac)
        )
    ).one_or_none()
    return None if row is None else TakenTry(email=EmailAddress(row.email), code_mac=row.code_mac)


async def use_up(connection: AsyncConnection, challenge_id: str) -> bool:
    """Use a challenge up; returns False when another request was faster."""
    statement = (
        update(otp_challenges)
        .where(otp_challenges.c.id == challenge_id, otp_challenges.c.used_at.is_(None))
        .values(used_at=func.now())
    )
    return (await connection.execute(statement)).rowcount == 1


async def forget_over(connection: AsyncConnection) -> int:
    """Delete expired challenges; returns their number."""
    statement = delete(otp_challenges).where(otp_challenges.c.expires_at < func.now())
    return (await connection.execute(statement)).rowcount
