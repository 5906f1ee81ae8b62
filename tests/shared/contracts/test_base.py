"""The two kinds of wire model: what is sent is checked, what is answered comes out of objects."""

from dataclasses import dataclass

import pytest
from pydantic import Field, JsonValue, SecretStr, ValidationError

from shared.contracts.base import AnswerModel, RequestModel, SentModel


@dataclass(frozen=True)
class Place:
    town: str


@dataclass(frozen=True)
class Person:
    name: str
    place: Place
    schema: str = "public"
    secret: str = "not answered"


class PlaceAnswer(AnswerModel):
    town: str


class PersonAnswer(AnswerModel):
    name: str
    place: PlaceAnswer
    schema_name: str = Field("none", alias="schema")
    rows: int = 0


ANN = Person("Ann", Place("Torino"))


def test_an_answer_is_made_of_an_objects_attributes() -> None:
    answer = PersonAnswer.of(ANN, rows=3)
    assert answer.model_dump(by_alias=True) == {
        "name": "Ann",
        "place": {"town": "Torino"},
        "schema": "public",
        "rows": 3,
    }


def test_what_is_given_beside_the_object_overrides_it() -> None:
    assert PersonAnswer.of(ANN, name="Bea", place=PlaceAnswer(town="Roma")).name == "Bea"


def test_an_attribute_that_is_missing_is_our_mistake() -> None:
    with pytest.raises(ValidationError):
        PersonAnswer.of(Place("Torino"))


class Open(SentModel):
    """As RFC 6749 wants it: unknown fields pass."""

    name: str


class Strict(RequestModel):
    """As all our own calls are."""

    names: tuple[str, ...] = ()
    by_name: dict[str, list[str]] = Field(default_factory=dict)
    password: SecretStr | None = None
    number: int = 0
    free: JsonValue = None


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"names": ["a", "b\0"]}, "nul_byte"),
        ({"by_name": {"a": ["b\0"]}}, "nul_byte"),
        ({"by_name": {"a\0": []}}, "nul_byte"),
        ({"password": SecretStr("x\0")}, "nul_byte"),
        ({"password": SecretStr("x\ud800")}, "bad_encoding"),
    ],
)
def test_text_that_cannot_be_kept_is_refused_at_any_depth(sent: object, code: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Strict.model_validate(sent)
    (error,) = refused.value.errors()
    assert error["type"] == code
    assert "b\0" not in str(refused.value)  # it may be a password


def test_free_json_is_not_looked_into() -> None:
    assert Strict.model_validate({"free": {"a": ["\0"]}}).free == {"a": ["\0"]}


def test_only_a_request_of_ours_refuses_unknown_fields() -> None:
    assert Open.model_validate({"name": "a", "more": 1}).name == "a"
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Strict.model_validate({"more": 1})
    with pytest.raises(ValidationError, match="nul_byte"):
        Open.model_validate({"name": "\0"})
