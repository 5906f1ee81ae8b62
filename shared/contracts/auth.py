"""Who a caller is, as the access token says it and as services tell one another."""

from enum import StrEnum
from typing import NewType

from pydantic import BaseModel, ConfigDict

from shared.contracts.base import AnswerModel

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

    @property
    def is_admin(self) -> bool:
        """Whether the subject may do everything."""
        return self.role is Role.ADMIN

    @property
    def label(self) -> str:
        """What people read: the e-mail address, or the client's id."""
        return self.email or self.sub


class SubjectAnswer(AnswerModel):
    """A person or machine client, looked up through `GET /internal/subjects?identifier=`.

    `identifier` is an e-mail address, a client id or a sub. 404 when there is none.
    """

    sub: Sub
    email: str | None = None
    name: str | None = None
    """User name of a person, or the display name of a client."""
    role: Role | None = None
    disabled: bool = False


class IssuedToken(AnswerModel):
    """What a service reads of `POST /api/auth/token` (RFC 6749, section 5.1)."""

    access_token: str
    expires_in: int
    """Seconds."""
