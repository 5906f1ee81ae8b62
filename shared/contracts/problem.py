"""Problem documents (RFC 9457) as every service writes them."""

from shared.contracts.base import AnswerModel

PROBLEM_MEDIA_TYPE = "application/problem+json"


class FieldError(AnswerModel):
    """One thing that is wrong with one field of the input."""

    field: str
    code: str
    message: str


class ProblemDocument(AnswerModel):
    """The body of every answer that is not a success."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str | None = None
    errors: list[FieldError] | None = None
    limit_bytes: int | None = None
    """With 413: how many bytes there may be."""
