"""One-time codes: how they are generated and stored."""

import hashlib
import hmac
import re
import secrets

from services.auth.domain import ChallengeId

CODE_DIGITS = 6
CODE_LIFETIME_S = 600
CODE_TRIES = 5
CODE_PATTERN = rf"^\s*[0-9]{{{CODE_DIGITS}}}\s*$"
_CODE = re.compile(CODE_PATTERN, re.ASCII)


def new_challenge() -> ChallengeId:
    """An id of 192 random bits; without it a code is worthless."""
    return ChallengeId(secrets.token_urlsafe(24))


def new_code() -> str:
    """Six random digits."""
    return f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"


def typed_code(text: str) -> str:
    """A code as it was typed, without white space around it; raises ValueError."""
    if _CODE.fullmatch(text) is None:
        raise ValueError(f"a code is {CODE_DIGITS} digits, as they stand in the mail")
    return text.strip()


def code_mac(code: str, *, challenge_id: str, pepper: str) -> bytes:
    """HMAC-SHA-256 of a code, bound to its challenge.

    Keyed, because whoever has read the table hashes a million codes in no time.
    """
    return hmac.digest(pepper.encode(), f"{challenge_id}\0{code}".encode(), hashlib.sha256)


def code_fits(code: str, kept: bytes, *, challenge_id: str, pepper: str) -> bool:
    """Whether this is the code; takes the same time for every wrong one."""
    return hmac.compare_digest(kept, code_mac(code, challenge_id=challenge_id, pepper=pepper))
