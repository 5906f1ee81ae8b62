"""The two kinds of wire model, and the list envelope."""

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

Item = TypeVar("Item")


class RequestModel(BaseModel):
    """What a caller sends: unknown fields are refused."""

    # Errors come into logs, and what was sent may be a password or a token.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class AnswerModel(BaseModel):
    """What a service answers: a reader ignores fields that it does not know yet."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Page(AnswerModel, Generic[Item]):
    """One page of a list; `next` is a path that can be followed as it stands, or null."""

    items: list[Item]
    next: str | None = None
