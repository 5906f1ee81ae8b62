"""Signing access tokens with the key whose turn it is."""

from dataclasses import dataclass

from services.auth import tokens
from services.auth.domain import ACCESS_TOKEN_S
from services.auth.service.keys import KeyRing


@dataclass(frozen=True, slots=True)
class Signer:
    """Issues access tokens."""

    keys: KeyRing
    issuer: str
    audience: str

    async def signed(self, claims: tokens.Claims, *, lifetime_s: int = ACCESS_TOKEN_S) -> str:
        """An access token, issued now by the database's clock."""
        key = await self.keys.signing_key()
        return tokens.access_token(
            key,
            claims,
            issuer=self.issuer,
            audience=self.audience,
            lifetime_s=lifetime_s,
            issued_at=self.keys.clock(),
        )
