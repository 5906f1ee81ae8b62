"""The verb face: the exact sign-in calls that users of the older systems know."""

from fastapi import APIRouter, Depends

from services.auth.dependencies import Address, State, not_stored
from services.auth.schemas import Pair, Refresh, SignIn
from shared.http.idempotency import not_idempotent

router = APIRouter(tags=["sign-in"], dependencies=[Depends(not_stored)])


@router.post(
    "/api/token",
    status_code=200,
    summary="Sign in with a password",
)
@not_idempotent("it has no caller yet, and answers tokens")
async def token_action(body: SignIn, state: State, address: Address) -> Pair:
    """Give user name (or e-mail address) and password, and get a pair of tokens.

    401 `invalid_credentials` whatever is wrong; 429 `too_many_attempts` after several wrong
    passwords from one address.
    """
    pair = await state.sessions.sign_in(
        body.username, body.password.get_secret_value(), address=address
    )
    return Pair(access=pair.access, refresh=pair.refresh)


@router.post(
    "/api/token/refresh",
    status_code=200,
    summary="Get a fresh pair of tokens",
)
@not_idempotent("it has no caller yet, and answers tokens")
async def token_refresh_action(body: Refresh, state: State, address: Address) -> Pair:
    """Give a refresh token and get a new pair; the token sent is used up by it.

    Sent again within 30 s it gives another pair (an answer may get lost); after that it ends
    the session, because somebody has a copy.
    """
    pair = await state.sessions.refresh(body.refresh.get_secret_value(), address=address)
    return Pair(access=pair.access, refresh=pair.refresh)
