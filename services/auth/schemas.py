"""Wire models that only auth uses."""

import datetime as dt
import uuid
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    model_validator,
)

from services.auth import domain, otp
from services.auth.domain import (
    CLIENT_PREFIX,
    ApiKey,
    ClientId,
    EmailAddress,
    MachineClient,
    User,
)
from shared.contracts.auth import Caller, Role, Scope, Sub
from shared.contracts.base import AnswerModel, RequestModel, SentModel, StorableSecret, StorableText

PlainText = Annotated[StorableText, Field(json_schema_extra={"pattern": r"^[^\x00]*$"})]
"""Text that PostgreSQL can store: no NUL."""
Email = Annotated[
    str, Field(max_length=254, examples=["ann@example.com"]), AfterValidator(domain.email_address)
]
Username = Annotated[str, Field(examples=["ann"]), AfterValidator(domain.username)]
ClientName = Annotated[str, Field(examples=["nightly-loader"]), AfterValidator(domain.client_id)]
SentPassword = Annotated[StorableSecret, Field(max_length=1024, examples=["correct horse battery"])]
"""A password as it was typed; whether it is strong enough is checked elsewhere."""
Code = Annotated[
    str,
    AfterValidator(otp.typed_code),
    Field(examples=["123456"], json_schema_extra={"pattern": otp.CODE_PATTERN}),
]
SentSecret = Annotated[StorableSecret, Field(max_length=512)]


class SignIn(RequestModel):
    """User name or e-mail address, and password."""

    username: Annotated[PlainText, Field(max_length=254, examples=["ann"])]
    password: SentPassword


class Refresh(RequestModel):
    """A refresh token."""

    refresh: SentSecret


class Pair(AnswerModel):
    """An access token for 15 minutes, and the refresh token that gives the next one."""

    access: str
    refresh: str


class TokenForm(SentModel):
    """The form of RFC 6749; unknown fields are ignored, as it says."""

    grant_type: Annotated[
        str | None,
        Field(
            description="`password`, `refresh_token` or `client_credentials`", examples=["password"]
        ),
    ] = None
    username: Annotated[PlainText | None, Field(max_length=254)] = None
    password: SentPassword | None = None
    refresh_token: SentSecret | None = None
    client_id: Annotated[PlainText | None, Field(max_length=254)] = None
    client_secret: SentSecret | None = None
    scope: Annotated[
        str | None,
        Field(description="Scopes, separated by spaces; none means all that you have"),
    ] = None


class TokenAnswer(AnswerModel):
    """The answer of RFC 6749; machine clients get no refresh token."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a name
    expires_in: int = domain.ACCESS_TOKEN_S
    """Seconds."""
    refresh_token: str | None = None
    scope: str


class CodeRequest(RequestModel):
    """The address that a code is mailed to."""

    email: Email


class ChallengeAnswer(AnswerModel):
    """The challenge that the code belongs to; the same for every address."""

    challenge_id: str
    expires_in: int
    """Seconds."""


class CodeAnswer(RequestModel):
    """The code out of the mail."""

    challenge_id: Annotated[PlainText, Field(max_length=64)]
    code: Code


class Me(AnswerModel):
    """The caller's own account; a machine client has neither address nor role."""

    id: str
    sub: Sub
    email: str | None = None
    username: str | None = None
    role: Role | None = None
    scopes: list[Scope]
    has_password: bool = False
    created_at: dt.datetime | None = None

    @classmethod
    def of_caller(cls, caller: Caller, user: User | None) -> Self:
        """A person's account, or a machine client's id and scopes."""
        scopes = sorted(caller.scopes)
        if user is None:
            return cls(id=caller.sub.removeprefix(CLIENT_PREFIX), sub=caller.sub, scopes=scopes)
        return cls.of(user, id=str(user.id), scopes=scopes)


class MeChange(RequestModel):
    """Changes to one's own account."""

    username: Username | None = None
    password: SentPassword | None = None
    current_password: SentPassword | None = None
    challenge_id: Annotated[PlainText | None, Field(max_length=64)] = None
    """With `code`, in place of `current_password`: from `POST /api/auth/otp`."""
    code: Code | None = None

    @model_validator(mode="after")
    def _code_with_challenge(self) -> Self:
        if (self.challenge_id is None) != (self.code is None):
            raise ValueError("`challenge_id` and `code` belong together")
        return self


class ListQuery(RequestModel):
    """A page of a list by a name."""

    after: Annotated[PlainText | None, Field(description="Filled in by `next`")] = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class UsersQuery(ListQuery):
    """A page of accounts."""

    q: Annotated[PlainText | None, Field(description="A part of the address or name")] = None


class ApiKeysQuery(RequestModel):
    """A page of one's API keys."""

    cursor: Annotated[str | None, Field(max_length=1000, description="Filled in by `next`")] = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class UserAnswer(AnswerModel):
    """A person's account, as admins see it."""

    id: uuid.UUID
    sub: Sub
    email: EmailAddress
    username: str | None
    role: Role
    disabled: bool
    has_password: bool
    created_at: dt.datetime


class UserCreate(RequestModel):
    """A new account; without a password it signs in by mailed codes."""

    email: Email
    username: Username | None = None
    password: SentPassword | None = None
    role: Role = Role.MEMBER


class UserChange(RequestModel):
    """Changes by an admin to an account; what is left out stays."""

    role: Role | None = None
    disabled: StrictBool | None = None


class ClientCreate(RequestModel):
    """A new machine client; without an id it gets a random one."""

    id: ClientName | None = None
    name: Annotated[PlainText | None, Field(min_length=1, max_length=200)] = None
    scopes: Annotated[
        frozenset[Scope], Field(min_length=1, examples=[["tables:read", "imports:write"]])
    ]


class ClientAnswer(AnswerModel):
    """A machine client; its secret is stored as a digest alone."""

    id: ClientId
    sub: Sub
    name: str
    scopes: list[Scope]
    created_by: str
    created_at: dt.datetime

    @classmethod
    def of_client(cls, client: MachineClient, **more: object) -> Self:
        """A client with its scopes in order."""
        return cls.of(client, scopes=sorted(client.scopes), **more)


class ClientCreated(ClientAnswer):
    """A machine client and its secret, which is shown this once."""

    secret: str


class ApiKeyCreate(RequestModel):
    """A new API key."""

    name: Annotated[PlainText, Field(min_length=1, max_length=200, examples=["nightly dbt"])]
    scopes: Annotated[
        frozenset[Scope], Field(min_length=1, examples=[["catalog:write", "imports:write"]])
    ]
    expires_at: Annotated[
        AwareDatetime | None, Field(description="At most a year away; without it, in a year.")
    ] = None


class ApiKeyAnswer(AnswerModel):
    """An API key; its text is stored as a digest alone. `last_used_at` may lag by a minute."""

    id: uuid.UUID
    name: str
    scopes: list[Scope]
    created_at: dt.datetime
    expires_at: dt.datetime
    last_used_at: dt.datetime | None

    @classmethod
    def of_key(cls, made: ApiKey, **more: object) -> Self:
        """A key with its scopes in order."""
        return cls.of(made, scopes=sorted(made.scopes), **more)


class ApiKeyCreated(ApiKeyAnswer):
    """An API key and its text, which is shown this once."""

    key: str


class RotationAnswer(AnswerModel):
    """The key that signs, the moment from which it does, and the key after it."""

    kid: str
    signs_from: dt.datetime
    next_kid: str


class EventAnswer(AnswerModel):
    """One line of the audit trail."""

    id: int
    at: dt.datetime
    subject: str | None
    action: str
    object: str | None
    result: str
    request_id: str | None
    address: str | None
    detail: dict[str, Any] | None


class EventQuery(BaseModel):
    """A filter on the audit trail; all that are given must hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: Annotated[
        PlainText | None, Field(description="A sub, a client id, or a person's e-mail address")
    ] = None
    action: Annotated[PlainText | None, Field(examples=["auth.sign_in"])] = None
    object: PlainText | None = None
    since: AwareDatetime | None = None
    until: Annotated[AwareDatetime | None, Field(description="Exclusive")] = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    before: Annotated[
        int | None,
        Field(ge=1, lt=2**63, description="Lines with a smaller id; `next` fills it in"),
    ] = None
