"""Base classes of wire models, the list envelope, ids, and text that PostgreSQL can store."""

import functools
from collections.abc import Mapping
from typing import Annotated, Any, Generic, Self, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from shared.values.texts import UnstorableTextError, storable

Item = TypeVar("Item")

LARGEST_BIGINT = 2**63 - 1

Id = Annotated[int, Field(ge=1, le=LARGEST_BIGINT)]
"""An id in a path, a query or a body: what an identity column of PostgreSQL can hold."""


def _storable_text(text: str) -> str:
    try:
        return storable(text)
    except UnstorableTextError as exc:
        raise PydanticCustomError(exc.code.value, "{reason}", {"reason": str(exc)}) from exc


def _storable_secret(secret: SecretStr) -> SecretStr:
    _storable_text(secret.get_secret_value())
    return secret


StorableText = Annotated[str, AfterValidator(_storable_text)]
StorableSecret = Annotated[SecretStr, AfterValidator(_storable_secret)]
"""A lone surrogate could not even be hashed."""


class SentModel(BaseModel):
    """Base of all input models: refuses text that PostgreSQL cannot store.

    Fields that hold any JSON (`JsonValue`, `Any`) are not checked here. Unknown fields are
    ignored, as some standards require.
    """

    # Errors are logged, and the input may be a password or a token.
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    @field_validator("*")
    @classmethod
    def _keepable(cls, value: Any, info: ValidationInfo) -> Any:
        if info.field_name not in _free_fields(cls):
            _check_texts(value)
        return value


def _spelled_out(value: object) -> object:
    if isinstance(value, bool):
        return value
    spelled = {"true": True, "false": False}.get(value) if isinstance(value, str) else None
    if spelled is None:
        raise ValueError("write `true` or `false`")
    return spelled


Flag = Annotated[bool, BeforeValidator(_spelled_out)]
"""A boolean of a query or form: `true` or `false`, and no other word or number."""


class RequestModel(SentModel):
    """An input model of our own API: unknown fields are refused, too."""

    model_config = ConfigDict(extra="forbid")


@functools.cache
def _free_fields(model: type[BaseModel]) -> frozenset[str]:
    fields = model.model_fields.items()
    return frozenset(name for name, field in fields if _is_free(field.annotation))


def _is_free(annotation: object) -> bool:
    return annotation in (Any, object, JsonValue) or any(map(_is_free, get_args(annotation)))


def _check_texts(value: object) -> None:
    """Raise PydanticCustomError for text, at any depth, that PostgreSQL cannot store."""
    if isinstance(value, str):
        _storable_text(value)
    elif isinstance(value, SecretStr):
        _storable_secret(value)
    elif isinstance(value, Mapping):
        for name, member in value.items():
            _check_texts(name)
            _check_texts(member)
    elif isinstance(value, list | tuple | set | frozenset):
        for member in value:
            _check_texts(member)


_MISSING = object()


class AnswerModel(BaseModel):
    """A response model; readers ignore fields that they do not know yet."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    @classmethod
    def of(cls, thing: object, **more: object) -> Self:
        """From an object's attributes by the fields' names or aliases; `more` adds or overrides."""
        fields: dict[str, object] = {}
        for name, field in cls.model_fields.items():
            key, value = name, getattr(thing, name, _MISSING)
            if value is _MISSING and field.alias:
                key, value = field.alias, getattr(thing, field.alias, _MISSING)
            if value is not _MISSING:
                fields[key] = value
        return cls.model_validate(fields | more, from_attributes=True)


class Page(AnswerModel, Generic[Item]):
    """One page of a list; `next` is the path of the next page, or null."""

    items: list[Item]
    next: str | None = None
