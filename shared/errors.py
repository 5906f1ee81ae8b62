"""The causes of failure that more than one service knows; `shared.http.problems` renders them.

A service adds its own in its `errors.py`: one class per cause, with a stable `code`.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from shared.contracts.problem import FieldError, ProblemDocument


class ProblemError(Exception):
    """A failure that is returned to the caller as a problem document."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Something went wrong on our side"
    limit_bytes: int | None = None

    def __init__(
        self,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    def document(self, *, request_id: str | None = None) -> ProblemDocument:
        """The problem document of this failure."""
        return problem_document(
            status=self.status,
            code=self.code,
            title=self.title,
            detail=self.detail,
            request_id=request_id,
            errors=self.errors,
            limit_bytes=self.limit_bytes,
        )


def problem_document(
    *,
    status: int,
    code: str,
    title: str,
    detail: str,
    request_id: str | None = None,
    errors: Sequence[FieldError] = (),
    limit_bytes: int | None = None,
) -> ProblemDocument:
    """A problem document whose `type` is made from its code."""
    return ProblemDocument(
        type=f"urn:tabularium:problem:{code}",
        title=title,
        status=status,
        detail=detail,
        code=code,
        request_id=request_id,
        errors=list(errors) or None,
        limit_bytes=limit_bytes,
    )


class InvalidInputError(ProblemError):
    """The input does not fit; `errors` names each field and what to do."""

    status = 422
    code = "invalid_input"
    title = "The input does not fit"

    @classmethod
    def of(cls, field: str, code: str, message: str) -> "InvalidInputError":
        """The common case: one field, one reason."""
        return cls.of_fields([FieldError(field=field, code=code, message=message)])

    @classmethod
    def of_fields(cls, errors: Sequence[FieldError]) -> "InvalidInputError":
        """Several fields; the first three stand in the detail, too."""
        detail = "; ".join(f"{error.field}: {error.message}" for error in errors[:3])
        return cls(detail, errors=errors)


class UnauthenticatedError(ProblemError):
    """There is no token."""

    status = 401
    code = "unauthenticated"
    title = "Sign in first"

    def __init__(self, detail: str, *, challenge: str = "Bearer") -> None:
        super().__init__(detail, headers={"WWW-Authenticate": challenge})


class InvalidTokenError(UnauthenticatedError):
    """A token that does not hold; the challenge says so (RFC 6750, 3.1)."""

    title = "The token does not hold"

    def __init__(self, detail: str) -> None:
        challenge = f'Bearer error="invalid_token", error_description="{detail}"'
        super().__init__(detail, challenge=challenge)


class TokenExpiredError(InvalidTokenError):
    """A token whose time is over: a new one is to be had for the refresh token."""

    code = "token_expired"
    title = "The access token has expired"


class ForbiddenError(ProblemError):
    """The caller is known and may not do this."""

    status = 403
    code = "forbidden"
    title = "Not allowed"


class ScopeMissingError(ForbiddenError):
    """The access token does not open this kind of call."""

    code = "scope_missing"


class NotFoundError(ProblemError):
    """There is no such thing, or none that the caller may see."""

    status = 404
    code = "not_found"
    title = "Not found"


class ConflictError(ProblemError):
    """The state of the thing forbids this now."""

    status = 409
    code = "conflict"
    title = "Conflict"


class TooLargeError(ProblemError):
    """The body, or a file in it, is over the limit that `limit_bytes` names."""

    status = 413
    code = "too_large"
    title = "Too large"

    def __init__(self, detail: str, *, limit_bytes: int | None = None) -> None:
        super().__init__(detail)
        self.limit_bytes = limit_bytes


class TooManyRequestsError(ProblemError):
    """Over a rate limit; `Retry-After` says when to come back."""

    status = 429
    code = "too_many_requests"
    title = "Too many requests"


class UnavailableError(ProblemError):
    """Something we depend on is down; trying again later helps."""

    status = 503
    code = "unavailable"
    title = "Temporarily unavailable"

    def __init__(self, detail: str, *, retry_after_s: int = 5) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_s)})


class StorageFullError(ProblemError):
    """There is no room left for what was sent; nothing of it was kept."""

    status = 507
    code = "storage_full"
    title = "No room left"
