"""Signing keys: the public halves for everyone, rotation for admins."""

from typing import Any

from fastapi import APIRouter, Response

from services.auth.dependencies import Address, Process, SignedIn
from services.auth.schemas import RotationAnswer
from shared.http.json_bodies import JsonRoute

router = APIRouter(tags=["keys"], route_class=JsonRoute)

CACHED_S = 60


@router.get("/.well-known/jwks.json", status_code=200, summary="Public signing keys")
async def jwks(auth: Process, response: Response) -> dict[str, list[dict[str, Any]]]:
    """The current key, the next one, and those whose tokens may still be valid (RFC 7517)."""
    response.headers["Cache-Control"] = f"public, max-age={CACHED_S}"
    return await auth.keys.jwks()


@router.post(
    "/api/auth/keys/rotate",
    status_code=200,
    summary="Let the next signing key take its turn",
)
async def keys_rotate(caller: SignedIn, auth: Process, address: Address) -> RotationAnswer:
    """The next key signs as soon as it has been public for 10 minutes, and a new one follows it.

    No token is refused on the way: the old key stays public until its last token has expired.
    Asking again before `signs_from` answers the same.
    """
    return RotationAnswer.of(await auth.keys.rotate(caller, address=address))
