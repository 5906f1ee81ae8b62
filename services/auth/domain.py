"""People, machines, sessions and keys, and the pure rules about them."""

import datetime as dt
import hashlib
import re
import unicodedata
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NewType

from email_validator import EmailNotValidError, validate_email

from shared.contracts.auth import GRANTABLE_SCOPES, Role, Scope, Sub

UserId = NewType("UserId", uuid.UUID)
FamilyId = NewType("FamilyId", uuid.UUID)
ClientId = NewType("ClientId", str)
Kid = NewType("Kid", str)
ChallengeId = NewType("ChallengeId", str)
KeyId = NewType("KeyId", uuid.UUID)
EmailAddress = NewType("EmailAddress", str)
"""An address as `email_address` writes it."""

CLIENT_PREFIX = "client:"
PERSONS_SCOPES = frozenset(GRANTABLE_SCOPES)

ACCESS_TOKEN_S = 900
KEY_TOKEN_S = 120
"""Lifetime of the access token that the gateway gets for an API key; it asks every minute."""
REFRESH_GRACE_S = 30

# A verifier reads the keys again every 300 s (shared.security.tokens.REFRESH_EVERY_S), and an auth
# process its ring every 30 s: a key that is public for twice that long is known before it signs.
PUBLISH_AHEAD_S = 600
KEPT_AFTER_SIGNING_S = ACCESS_TOKEN_S + 120
"""A key stays public until its last token has expired, clocks and caches allowed for."""

INTRANET_SUFFIXES = frozenset({"localhost", "local", "internal", "lan", "test"})
USERNAME = re.compile(r"[\w][\w.-]{1,63}")
CLIENT_ID = re.compile(r"[a-z0-9][a-z0-9._-]{1,62}")


class SignInMethod(StrEnum):
    """How a session began."""

    PASSWORD = "password"  # noqa: S105 - a name
    CODE = "code"


@dataclass(frozen=True, slots=True)
class User:
    """A person's account."""

    id: UserId
    email: EmailAddress
    username: str | None
    password_hash: str | None
    role: Role
    disabled: bool
    created_at: dt.datetime

    @property
    def sub(self) -> Sub:
        """The subject that tokens and grants name."""
        return Sub(str(self.id))

    @property
    def has_password(self) -> bool:
        """Whether the account has a password; without one it signs in by mailed codes."""
        return self.password_hash is not None


@dataclass(frozen=True, slots=True)
class Session:
    """A family of refresh tokens: one sign-in and what was made from it."""

    id: FamilyId
    user_id: UserId
    scopes: frozenset[Scope]
    created_at: dt.datetime


class TokenState(StrEnum):
    """The state of a refresh token that was sent."""

    FRESH = "fresh"
    GRACE = "grace"
    """Used up a moment ago: the answer may have been lost."""
    REUSED = "reused"
    """Used up long ago: somebody has a copy."""
    OVER = "over"
    """Expired, or its session has ended."""


@dataclass(frozen=True, slots=True)
class SentToken:
    """A known refresh token; its row and its session's row are locked."""

    state: TokenState
    session: Session


@dataclass(frozen=True, slots=True)
class TakenTry:
    """What a try is compared with; the try has been counted already."""

    email: EmailAddress
    code_mac: bytes


@dataclass(frozen=True, slots=True)
class MachineClient:
    """A program with a log-in of its own."""

    id: ClientId
    name: str
    scopes: frozenset[Scope]
    created_by: str
    created_at: dt.datetime

    @property
    def sub(self) -> Sub:
        """The subject that tokens and grants name."""
        return client_sub(self.id)


@dataclass(frozen=True, slots=True)
class Subject:
    """A person or a machine client, as other services look it up; a client has no role."""

    sub: Sub
    email: EmailAddress | None
    name: str | None
    role: Role | None = None
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A long-lived credential of a person's program; its text is stored as a digest alone."""

    id: KeyId
    user_id: UserId
    name: str
    scopes: frozenset[Scope]
    created_at: dt.datetime
    expires_at: dt.datetime
    last_used_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair and when it signs; the private half is sealed, and gone once it is retired."""

    kid: Kid
    public_jwk: Mapping[str, Any]
    sealed_private_key: bytes | None
    usable_from: dt.datetime
    signs_from: dt.datetime | None
    signs_until: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Rotation:
    """Which key signs from when, and which one comes after it."""

    kid: Kid
    signs_from: dt.datetime
    next_kid: Kid


@dataclass(frozen=True, slots=True)
class TokenPair:
    """The tokens of a sign-in, and the scopes they open."""

    access: str
    refresh: str
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the audit trail."""

    id: int
    at: dt.datetime
    subject: str | None
    action: str
    object: str | None
    result: str
    request_id: str | None
    address: str | None
    detail: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class EventFilter:
    """A filter on the audit trail; all that are given must hold. `until` is exclusive."""

    subjects: Sequence[str] = ()
    action: str | None = None
    object: str | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class BackOff:
    """The wait after failures: none for `free` tries, then `first_s`, doubling."""

    free: int
    first_s: int
    longest_s: int
    forget_after_s: int


# Slows a guesser down to about 100 tries a day on one account from one address. Nobody else
# is slowed: an account cannot be locked by someone who does not know its password.
ACCOUNT_BACK_OFF = BackOff(free=5, first_s=1, longest_s=900, forget_after_s=86_400)
# One address trying many accounts; generous, for an office behind one address.
ADDRESS_BACK_OFF = BackOff(free=50, first_s=1, longest_s=60, forget_after_s=3_600)


def client_sub(client_id: str) -> Sub:
    """The subject of a machine client."""
    return Sub(CLIENT_PREFIX + client_id)


def email_address(text: str) -> EmailAddress:
    """The one spelling under which an address is stored: lower case, domain in ASCII.

    Intranet names (`ann@localhost`, `ann@corp.local`) are addresses too, in a product that
    people run for themselves. Raises ValueError with a readable reason.
    """
    local, at, domain = text.strip().rpartition("@")
    last = domain.lower().rstrip(".").rpartition(".")[2]
    intranet = bool(at) and (last in INTRANET_SUFFIXES or "." not in domain)
    # The library refuses such names as not deliverable; below a public one it checks the rest.
    suffix = ".example.com" if intranet else ""
    try:
        checked = validate_email(
            f"{local}{at}{domain}{suffix}", check_deliverability=False, allow_smtputf8=False
        )
    except EmailNotValidError as exc:
        raise ValueError(str(exc)) from exc
    return EmailAddress((checked.ascii_email or checked.normalized).lower().removesuffix(suffix))


def domain_of(email: EmailAddress) -> str:
    """The part behind the `@`."""
    return email.rpartition("@")[2]


def username(text: str) -> str:
    """A user name as it is stored. Raises ValueError with a readable reason."""
    name = unicodedata.normalize("NFC", text.strip())
    if not USERNAME.fullmatch(name):
        raise ValueError("2 to 64 letters, digits, dots, dashes or underscores")
    try:
        uuid.UUID(name)
    except ValueError:
        return name
    raise ValueError("looks like an account's id; choose another")


def client_id(text: str) -> ClientId:
    """A machine client's id: no address and no UUID, so that it never names a person."""
    if not CLIENT_ID.fullmatch(text):
        raise ValueError("2 to 63 small letters, digits, dots, dashes or underscores")
    try:
        uuid.UUID(text)
    except ValueError:
        return ClientId(text)
    raise ValueError("looks like an account's id; choose another")


def limit_key(kind: str, *parts: str) -> str:
    """The key of a counter; hashed, because people type passwords where names belong."""
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    return f"{kind}:{digest}"


def scopes_of(words: Iterable[str]) -> frozenset[Scope]:
    """Scopes by their names. Raises ValueError for an unknown one."""
    return frozenset(Scope(word) for word in words)


def spelled(scopes: Iterable[Scope]) -> str:
    """Scopes as tokens carry them: sorted, separated by one space."""
    return " ".join(sorted(scope.value for scope in scopes))
