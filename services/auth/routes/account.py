"""One's own account."""

from fastapi import APIRouter

from services.auth.dependencies import Address, CurrentSession, SignedIn, State
from services.auth.domain import CLIENT_PREFIX, User
from services.auth.schemas import Me, MeChange
from services.auth.service.accounts import OwnChange
from shared.contracts.auth import Caller

router = APIRouter(prefix="/api/auth/me", tags=["account"])


@router.get("", status_code=200, summary="Who am I")
async def auth_me(caller: SignedIn, state: State) -> Me:
    """The caller's account; a machine client sees its id and scopes."""
    return _me(caller, await state.accounts.own(caller))


@router.patch("", status_code=200, summary="Change my account")
async def auth_me_update(
    body: MeChange, caller: SignedIn, state: State, session: CurrentSession, address: Address
) -> Me:
    """Change user name or password; what is left out stays.

    A new password ends all other sessions. It needs `current_password`, or a session that began
    less than 10 minutes ago (403 `recent_sign_in_needed`), which also helps who forgot it: sign
    in by a mailed code first.
    """
    change = OwnChange(
        username=body.username,
        password=body.password.get_secret_value() if body.password else None,
        current_password=(
            body.current_password.get_secret_value() if body.current_password else None
        ),
    )
    user = await state.accounts.change_own(caller, change, session=session, address=address)
    return _me(caller, user)


def _me(caller: Caller, user: User | None) -> Me:
    scopes = sorted(caller.scopes)
    if user is None:
        client_id = caller.sub.removeprefix(CLIENT_PREFIX)
        return Me(id=client_id, sub=caller.sub, scopes=scopes)
    return Me(
        id=str(user.id),
        sub=user.sub,
        email=user.email,
        username=user.username,
        role=user.role,
        scopes=scopes,
        has_password=user.password_hash is not None,
        created_at=user.created_at,
    )
