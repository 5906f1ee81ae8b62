"""The verb face: the exact sign-in calls that users of the older systems know."""

from fastapi import APIRouter, Depends

from services.auth.dependencies import Address, Process, not_stored
from services.auth.schemas import Pair, Refresh, SignIn
from shared.http.idempotency import not_idempotent
from shared.http.json_bodies import JsonRoute

router = APIRouter(tags=["sign-in"], dependencies=[Depends(not_stored)], route_class=JsonRoute)


@router.post(
    "/api/token",
    status_code=200,
    summary="Sign in with a password",
)
@not_idempotent("it has no caller yet, and answers tokens")
async def token_action(body: SignIn, auth: Process, address: Address) -> Pair:
    """Exchange user name (or e-mail address) and password for a pair of tokens.

    401 `invalid_credentials` whatever is wrong; 429 `too_many_attempts` after several wrong
    passwords from one address.
    """
    pair = await auth.sessions.sign_in(
        body.username, body.password.get_secret_value(), address=address
    )
    return Pair.of(pair)


@router.post(
    "/api/token/refresh",
    status_code=200,
    summary="Get a fresh pair of tokens",
)
@not_idempotent("it has no caller yet, and answers tokens")
async def token_refresh_action(body: Refresh, auth: Process, address: Address) -> Pair:
    """Exchange a refresh token for a new pair; it is used up by that.

    Sent again within 30 s it gives another pair (an answer may get lost); after that it ends
    the session, because the token has been copied.
    """
    return Pair.of(await auth.sessions.refresh(body.refresh.get_secret_value(), address=address))
