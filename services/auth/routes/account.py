"""One's own account."""

from fastapi import APIRouter

from services.auth.dependencies import Address, CurrentSession, Process, SignedIn
from services.auth.schemas import Me, MeChange
from services.auth.service.accounts import OwnChange
from shared.http.json_bodies import JsonRoute

router = APIRouter(prefix="/api/auth/me", tags=["account"], route_class=JsonRoute)


@router.get("", status_code=200, summary="Who am I")
async def auth_me(caller: SignedIn, auth: Process) -> Me:
    """The caller's account; a machine client sees its id and scopes."""
    return Me.of_caller(caller, await auth.accounts.own(caller))


@router.patch("", status_code=200, summary="Change my account")
async def auth_me_update(
    body: MeChange, caller: SignedIn, auth: Process, session: CurrentSession, address: Address
) -> Me:
    """Change user name or password; what is left out stays.

    A new password ends all other sessions. It needs `current_password`, or `challenge_id` and
    `code` of a code mailed to your address (`POST /api/auth/otp`), for whoever has forgotten it or
    has none yet; else 403 `confirmation_needed`.
    """
    change = OwnChange(
        username=body.username,
        password=body.password.get_secret_value() if body.password else None,
        current_password=(
            body.current_password.get_secret_value() if body.current_password else None
        ),
        challenge_id=body.challenge_id,
        code=body.code,
    )
    user = await auth.accounts.change_own(caller, change, session=session, address=address)
    return Me.of_caller(caller, user)
