"""Who people and machines are to auth, and the pure rules about them."""

import datetime as dt
import hashlib
import ipaddress
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
EmailAddress = NewType("EmailAddress", str)
"""An address as `email_address` writes it."""

CLIENT_PREFIX = "client:"
PERSONS_SCOPES = frozenset(GRANTABLE_SCOPES)

ACCESS_TOKEN_S = 900
REFRESH_GRACE_S = 30
RECENT_SIGN_IN_S = 600
"""So long after a sign-in a session may change the password without giving the old one."""

# A verifier reads the keys anew every 300 s (shared.jwt.REFRESH_EVERY_S), and an auth process its
# ring every 30 s: a key that is public for twice that long is known to all before it signs.
PUBLISH_AHEAD_S = 600
KEPT_AFTER_SIGNING_S = ACCESS_TOKEN_S + 120
"""A key stays public until its last token is gone, clocks and caches allowed for."""

INTRANET_SUFFIXES = frozenset({"localhost", "local", "internal", "lan", "test"})
USERNAME = re.compile(r"[\w][\w.-]{1,63}")
CLIENT_ID = re.compile(r"[a-z0-9][a-z0-9._-]{1,62}")
IPV6_BLOCK = 64


class SignInMethod(StrEnum):
    """How a session began."""

    PASSWORD = "password"  # noqa: S105 - a name
    CODE = "code"


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Session:
    """A family of refresh tokens: one sign-in and what was made from it."""

    id: FamilyId
    user_id: UserId
    scopes: frozenset[Scope]
    created_at: dt.datetime


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class SigningKey:
    """A key pair and when it signs; the private half is sealed, and gone once it is retired."""

    kid: Kid
    public_jwk: Mapping[str, Any]
    sealed_private_key: bytes | None
    usable_from: dt.datetime
    signs_from: dt.datetime | None
    signs_until: dt.datetime | None

    def signs_at(self, moment: dt.datetime) -> bool:
        """Whether this is the key that signs at a moment."""
        if self.signs_from is None or moment < self.signs_from:
            return False
        return self.signs_until is None or moment < self.signs_until


@dataclass(frozen=True)
class TokenPair:
    """What a sign-in gives: tokens, and what they open."""

    access: str
    refresh: str
    scopes: frozenset[Scope]


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class EventFilter:
    """Which lines are wanted; all that are given must hold. `until` is exclusive."""

    subjects: Sequence[str] = ()
    action: str | None = None
    object: str | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None


@dataclass(frozen=True)
class BackOff:
    """How long one must wait after failures: `free` tries, then `first_s`, doubling."""

    free: int
    first_s: int
    longest_s: int
    forget_after_s: int


# Slows a guesser down to about 100 tries a day on one account from one address. Nobody else
# is slowed: an account cannot be locked by somebody who does not know its password.
ACCOUNT_BACK_OFF = BackOff(free=5, first_s=1, longest_s=900, forget_after_s=86_400)
# One address trying many accounts; generous, for an office behind one address.
ADDRESS_BACK_OFF = BackOff(free=50, first_s=1, longest_s=60, forget_after_s=3_600)


def client_sub(client_id: str) -> Sub:
    """The subject of a machine client."""
    return Sub(CLIENT_PREFIX + client_id)


def email_address(text: str) -> EmailAddress:
    """The one spelling under which an address is kept: lower case, domain in ASCII.

    Intranet names (`ann@localhost`, `ann@corp.local`) are addresses too, in a product that
    people run for themselves. Raises ValueError with a reason for people.
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
    """What stands behind the `@`."""
    return email.rpartition("@")[2]


def username(text: str) -> str:
    """A user name as it is kept. Raises ValueError with a reason for people."""
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


def address_block(address: str | None) -> str:
    """What counts as one address: an IPv4 address, or a /64, which one household has whole."""
    if address is None:
        return "unknown"
    parsed = ipaddress.ip_address(address)
    if parsed.version == 6:
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, IPV6_BLOCK), strict=False))
    return str(parsed)


def limit_key(kind: str, *parts: str) -> str:
    """The key of a counter; hashed, because people type passwords where names belong."""
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    return f"{kind}:{digest}"


def scopes_of(words: Iterable[str]) -> frozenset[Scope]:
    """Scopes by their names. Raises ValueError for a word that is none."""
    return frozenset(Scope(word) for word in words)


def spelled(scopes: Iterable[Scope]) -> str:
    """Scopes as tokens carry them: sorted, one space between."""
    return " ".join(sorted(scope.value for scope in scopes))
