"""One's own account."""

from fastapi import APIRouter

from services.auth.dependencies import Address, CurrentSession, Process, SignedIn
from services.auth.schemas import Me, MeChange
from services.auth.service.accounts import OwnChange

router = APIRouter(prefix="/api/auth/me", tags=["account"])


@router.get("", status_code=200, summary="Who am I")
async def auth_me(caller: SignedIn, auth: Process) -> Me:
    """The caller's account; a machine client sees its id and scopes."""
    return Me.of_caller(caller, await auth.accounts.own(caller))


@router.patch("", status_code=200, summary="Change my account")
async def auth_me_update(
    body: MeChange, caller: SignedIn, auth: Process, session: CurrentSession, address: Address
) -> Me:
    """Change user name or password; what is left out stays.

    A new password ends all other sessions. It needs `current_password`, or a session that began
    less than 10 minutes ago (403 `recent_sign_in_needed`): who has forgotten it signs in by a
    mailed code first.
    """
    change = OwnChange(
        username=body.username,
        password=body.password.get_secret_value() if body.password else None,
        current_password=(
            body.current_password.get_secret_value() if body.current_password else None
        ),
    )
    user = await auth.accounts.change_own(caller, change, session=session, address=address)
    return Me.of_caller(caller, user)
