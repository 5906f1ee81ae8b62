"""The two kinds of wire model, the list envelope, and texts that can be kept."""

from typing import Annotated, Generic, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from shared.values.texts import storable

Item = TypeVar("Item")

LARGEST_BIGINT = 2**63 - 1

Id = Annotated[int, Field(ge=1, le=LARGEST_BIGINT)]
"""An id in a path, a query or a body: what an identity column of PostgreSQL can hold."""


def _storable_secret(secret: SecretStr) -> SecretStr:
    storable(secret.get_secret_value())
    return secret


StorableText = Annotated[str, AfterValidator(storable)]
StorableSecret = Annotated[SecretStr, AfterValidator(_storable_secret)]
"""A half of a surrogate pair could not even be hashed."""


class RequestModel(BaseModel):
    """What a caller sends: unknown fields are refused."""

    # Errors come into logs, and what was sent may be a password or a token.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class AnswerModel(BaseModel):
    """What a service answers: a reader ignores fields that it does not know yet."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    @classmethod
    def of(cls, thing: object, **more: object) -> Self:
        """From an object's attributes by the fields' names or aliases; `more` adds or overrides."""
        fields: dict[str, object] = {}
        for name, field in cls.model_fields.items():
            key = name if hasattr(thing, name) else field.alias or name
            if hasattr(thing, key):
                fields[key] = getattr(thing, key)
        return cls.model_validate(fields | more, from_attributes=True)


class Page(AnswerModel, Generic[Item]):
    """One page of a list; `next` is a path that can be followed as it stands, or null."""

    items: list[Item]
    next: str | None = None
