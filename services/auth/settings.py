"""Settings of the service, read from its environment and validated at start."""

import base64
import binascii
from enum import StrEnum
from typing import Annotated

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from shared.process.settings import MailSettings, ServiceSettings

SECRET_SIZE_BYTES = 32
SHORTEST_PEPPER = 16


class SignUp(StrEnum):
    """Who may get an account by signing in with a mailed code for the first time."""

    OPEN = "open"
    DOMAINS = "domains"
    CLOSED = "closed"


class AuthSettings(ServiceSettings, MailSettings):
    """The environment of auth."""

    signing_key_secret: SecretStr
    """32 bytes in urlsafe base64; encrypts the private signing keys at rest."""
    otp_pepper: Annotated[SecretStr, Field(min_length=SHORTEST_PEPPER)]
    """Keys the HMAC under which mailed codes are stored."""
    internal_clients: dict[str, SecretStr]
    """The services themselves, by client id; never in the database."""

    first_admin_username: str | None = None
    """The admin that is made where there is none yet."""
    first_admin_password: SecretStr | None = None
    """That admin's password."""
    first_admin_email: str | None = None
    """That admin's mail address."""

    sign_up: SignUp = SignUp.OPEN
    """Who may sign up with a code by mail."""
    sign_up_domains: Annotated[tuple[str, ...], NoDecode] = ()
    """With `domains`: the domains of mail addresses."""

    otp_per_address_per_hour: int = Field(default=5, ge=1)
    """Codes for one mail address."""
    otp_per_ip_per_hour: int = Field(default=20, ge=1)
    """Codes asked for from one client address."""
    otp_overall_per_hour: int = Field(default=1000, ge=1)
    """Codes in all."""

    otp_mail_spread_s: float = Field(default=1.0, ge=0, le=30)
    """Mails leave at a random moment within so many seconds: the cost of sending must not show in
    the time of the next request."""

    refresh_idle_days: int = Field(default=14, ge=1)
    """A session that was not used for so long ends."""
    session_days: int = Field(default=90, ge=1)
    """A session ends after so long in any case."""

    # OWASP's password storage cheat sheet: 46 MiB and one pass, or any of its equals.
    argon2_memory_kib: int = Field(default=47_104, ge=8_192)
    """argon2id's memory for one hash."""
    argon2_passes: int = Field(default=1, ge=1)
    """argon2id's passes over it."""
    hashing_threads: int = Field(default=2, ge=1)
    """Hashes at once."""
    hashing_queue: int = Field(default=32, ge=1)
    """Sign-ins that may wait for a hashing thread; further ones are refused with 503."""

    @field_validator("sign_up_domains", mode="before")
    @classmethod
    def _comma_list(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(part.strip().lower() for part in value.split(",") if part.strip())

    @field_validator("signing_key_secret")
    @classmethod
    def _thirty_two_bytes(cls, value: SecretStr) -> SecretStr:
        try:
            size_bytes = len(_decoded(value))
        except binascii.Error:
            size_bytes = 0
        if size_bytes != SECRET_SIZE_BYTES:
            raise ValueError(f"must be {SECRET_SIZE_BYTES} bytes in urlsafe base64")
        return value

    @model_validator(mode="after")
    def _whole_admin_or_none(self) -> "AuthSettings":
        parts = (self.first_admin_username, self.first_admin_password, self.first_admin_email)
        if any(parts) and not all(parts):
            raise ValueError("give all of FIRST_ADMIN_USERNAME, _PASSWORD and _EMAIL, or none")
        if self.sign_up is SignUp.DOMAINS and not self.sign_up_domains:
            raise ValueError("SIGN_UP=domains needs SIGN_UP_DOMAINS")
        return self

    @property
    def signing_key_secret_bytes(self) -> bytes:
        """The key itself."""
        return _decoded(self.signing_key_secret)


def _decoded(value: SecretStr) -> bytes:
    return base64.urlsafe_b64decode(value.get_secret_value())
