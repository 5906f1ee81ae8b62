"""Who a caller is, in the access token and between services, and the calls that sign it in."""

import hashlib
import json
from enum import StrEnum
from typing import NewType
from urllib.parse import parse_qs

from pydantic import BaseModel, ConfigDict

from shared.contracts.base import AnswerModel, RequestModel, StorableText

Sub = NewType("Sub", str)
"""A subject: a person's UUID, or `client:<id>` for a machine client."""


class Scope(StrEnum):
    """What kind of call a token opens; which table, a grant decides."""

    TABLES_READ = "tables:read"
    TABLES_WRITE = "tables:write"
    RECORDS_READ = "records:read"
    RECORDS_WRITE = "records:write"
    IMPORTS_WRITE = "imports:write"
    CATALOG_READ = "catalog:read"
    CATALOG_WRITE = "catalog:write"
    INTERNAL = "internal"
    """For the services alone; never granted by the API."""


GRANTABLE_SCOPES = tuple(scope for scope in Scope if scope is not Scope.INTERNAL)


class Role(StrEnum):
    """What a person is on this installation."""

    MEMBER = "member"
    ADMIN = "admin"


class Caller(BaseModel):
    """The verified subject of a request.

    `email` is null for machine clients; `role` is null for them too.
    """

    model_config = ConfigDict(frozen=True)

    sub: Sub
    email: str | None = None
    role: Role | None = None
    scopes: frozenset[Scope] = frozenset()
    api_key: str | None = None
    """The id of the API key that the subject used in place of a sign-in."""

    @property
    def is_admin(self) -> bool:
        """Whether the subject may do everything."""
        return self.role is Role.ADMIN

    @property
    def label(self) -> str:
        """What people read: the e-mail address, or the client's id."""
        return self.email or self.sub


class SubjectRequest(RequestModel):
    """`POST /internal/subjects`: whom a grant names."""

    identifier: StorableText


class SubjectAnswer(AnswerModel):
    """A person or machine client, looked up through `GET /internal/subjects?identifier=`.

    `identifier` is an e-mail address, a client id or a sub. 404 when there is none. By POST every
    address has a subject, without role and name.
    """

    sub: Sub
    email: str | None = None
    name: str | None = None
    """User name of a person, or the display name of a client."""
    role: Role | None = None
    disabled: bool = False


class CallerNow(AnswerModel):
    """`POST /internal/callers/now` with a `CallerAsked`: what a caller may do at this moment.

    404 where that is nothing: the account is disabled or gone, the client revoked, the API key
    revoked or expired.
    """

    sub: Sub
    email: str | None = None
    role: Role | None = None
    scopes: frozenset[Scope]

    def narrowed(self, before: Caller) -> Caller:
        """The caller of an earlier token, with no more than what it may do now."""
        return before.model_copy(
            update={
                "email": self.email,
                "role": self.role,
                "scopes": before.scopes & self.scopes,
            }
        )


class CallerAsked(RequestModel):
    """Whose rights are asked for; `api_key` is the id of the key that was used."""

    sub: Sub
    api_key: str | None = None


class IssuedToken(AnswerModel):
    """What is read of `POST /api/auth/token` (RFC 6749, section 5.1) and `API_KEY_PATH`."""

    access_token: str
    expires_in: int
    """Seconds."""


class Mark(StrEnum):
    """What a revocation is about: the claim of an access token that it names."""

    SUBJECT = "sub"
    """Every token of a person or client: an account was disabled or has another role."""
    SESSION = "sid"
    API_KEY = "api_key"
    ALL = "all"
    """Every token: the signing keys were replaced."""

    def of(self, value: str = "") -> str:
        """The mark itself; a digest, so that those who read it learn no name."""
        return hashlib.sha256(f"{self.value}:{value}".encode()).hexdigest()[:32]


class Revocation(AnswerModel):
    """Access tokens that carry `mark` and were issued until `at` are good no more."""

    id: int
    mark: str
    at: float
    """Seconds since 1970, by the database's clock."""


class Revocations(AnswerModel):
    """`GET /internal/revocations?after=&wait_s=`: revocations with an id above `after`.

    Without any, auth answers as soon as there is one, or after `wait_s` with none. `last` is the
    next `after`.
    """

    items: tuple[Revocation, ...]
    last: int


REVOCATIONS_PATH = "/internal/revocations"
API_KEY_PATH = "/internal/api-keys/exchange"
"""POST with an API key as the bearer token: an access token for it."""
API_KEY_PREFIX = "tab_"
TOKEN_FORM_PATH = "/api/auth/token"  # noqa: S105 - a path
OTP_REQUEST_PATH = "/api/auth/otp"
OTP_VERIFY_PATH = "/api/auth/otp/verify"
SIGN_IN_PATH = "/api/token"
SIGN_IN_PATHS = frozenset({TOKEN_FORM_PATH, OTP_REQUEST_PATH, OTP_VERIFY_PATH, SIGN_IN_PATH})
"""The POST calls with which a caller proves who it is, without a slash at their end."""

PUBLIC_PATHS = SIGN_IN_PATHS | {
    "/api/token/refresh",
    "/api/auth/revoke",
    "/.well-known/jwks.json",
    "/api/mail/stop",
}
"""The calls that need no access token."""


def email_in(body: bytes) -> str | None:
    """The address, in lower case, for which the body of `OTP_REQUEST_PATH` requests a code."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    email = content.get("email") if isinstance(content, dict) else None
    return email.strip().casefold() if isinstance(email, str) else None


def is_refresh(media_type: str, body: bytes) -> bool:
    """Whether the body of `TOKEN_FORM_PATH` certainly requests a refresh rather than a sign-in."""
    if media_type != "application/x-www-form-urlencoded":
        return False
    try:
        form = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=50)
    except ValueError:
        return False
    return form.get("grant_type") == ["refresh_token"]
