"""The causes of failure that only auth knows."""

from typing import ClassVar

from shared.contracts.problem import ProblemDocument
from shared.errors import (
    ConflictError,
    ForbiddenError,
    ProblemError,
    TooManyRequestsError,
    UnauthenticatedError,
    UnavailableError,
)


class InvalidCredentialsError(UnauthenticatedError):
    """No such account, a wrong password, a disabled account: the caller never learns which."""

    code = "invalid_credentials"
    title = "Not signed in"

    def __init__(self) -> None:
        super().__init__("user name or password are not right")


class InvalidRefreshTokenError(UnauthenticatedError):
    """The refresh token is unknown, used up, expired, or its session has ended."""

    code = "invalid_refresh_token"
    title = "Not signed in"

    def __init__(self) -> None:
        super().__init__("the refresh token does not hold any more; sign in again")


class InvalidCodeError(UnauthenticatedError):
    """The mailed code is wrong, used up or expired, or no account may come of it."""

    code = "invalid_code"
    title = "Not signed in"

    def __init__(self) -> None:
        super().__init__("the code is wrong, used up or expired; ask for a new one")


class TooManyAttemptsError(TooManyRequestsError):
    """Wrong passwords from one address: the wait doubles, for that address alone."""

    code = "too_many_attempts"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(
            f"too many attempts; wait {retry_after_s} s",
            headers={"Retry-After": str(retry_after_s)},
        )


class TooManyCodesError(TooManyRequestsError):
    """More codes were asked for than are sent in an hour."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(
            f"too many codes were asked for; wait {retry_after_s} s",
            headers={"Retry-After": str(retry_after_s)},
        )


class HashingBusyError(UnavailableError):
    """More sign-ins at once than there are threads and places to wait."""

    code = "sign_in_busy"


class LastAdminError(ConflictError):
    """The installation would be left without an admin."""

    code = "last_admin"

    def __init__(self) -> None:
        super().__init__("this is the last admin; make another one first")


class EmailTakenError(ConflictError):
    """Another account has this address."""

    code = "email_taken"


class UsernameTakenError(ConflictError):
    """Another account has this user name."""

    code = "username_taken"


class ClientExistsError(ConflictError):
    """A machine client has, or once had, this id."""

    code = "client_exists"


class ConfirmationNeededError(ForbiddenError):
    """A password is set with the current one or with a fresh code alone."""

    code = "confirmation_needed"

    def __init__(self) -> None:
        super().__init__(
            "give `current_password`, or ask for a code (POST /api/auth/otp) and give its"
            " `challenge_id` and `code`"
        )


class WrongCodeError(ForbiddenError):
    """The code, given to confirm a change, is wrong, used up, expired or of another address."""

    code = "wrong_code"

    def __init__(self) -> None:
        super().__init__("the code is wrong, used up or expired; ask for a new one")


class WrongPasswordError(ForbiddenError):
    """The current password, given to confirm a change, is not right."""

    code = "wrong_password"

    def __init__(self) -> None:
        super().__init__("the current password is not right")


class InvalidApiKeyError(UnauthenticatedError):
    """The API key is unknown, revoked or expired, or its owner's account is disabled."""

    code = "invalid_api_key"

    def __init__(self) -> None:
        super().__init__("the API key is unknown, revoked or expired")


class ApiKeyRefusedError(ForbiddenError):
    """An API key opens no call that administers accounts or keys."""

    code = "api_key_refused"

    def __init__(self) -> None:
        super().__init__("an API key opens no call of accounts and keys; sign in for this")


class TooManyApiKeysError(ConflictError):
    """The person has as many live keys as one may have."""

    code = "too_many_api_keys"


class SigningKeysLockedError(Exception):
    """The signing keys cannot be opened with SIGNING_KEY_SECRET."""


class OAuthProblem(ProblemDocument):
    """A problem document that OAuth libraries can read too (RFC 6749, section 5.2)."""

    error: str
    error_description: str


class OAuthError(ProblemError):
    """A refusal of the token endpoint; the code is the error of RFC 6749."""

    status: ClassVar[int] = 400
    title = "No token"

    def document(self, *, request_id: str | None = None) -> OAuthProblem:
        """The problem document, with `error` and `error_description` beside it."""
        plain = super().document(request_id=request_id)
        return OAuthProblem(**plain.model_dump(), error=self.code, error_description=self.detail)


class InvalidTokenRequestError(OAuthError):
    """A parameter is missing."""

    code = "invalid_request"


class InvalidGrantError(OAuthError):
    """User name, password or refresh token do not hold."""

    code = "invalid_grant"


class InvalidClientError(OAuthError):
    """The client is unknown or revoked, or its secret is wrong."""

    status = 401
    code = "invalid_client"

    def __init__(self) -> None:
        super().__init__(
            "client id or secret are not right", headers={"WWW-Authenticate": "Basic, Bearer"}
        )


class UnsupportedGrantTypeError(OAuthError):
    """Another grant type than the three we know."""

    code = "unsupported_grant_type"


class InvalidScopeError(OAuthError):
    """A scope that is unknown, or more than this client or person has."""

    code = "invalid_scope"
