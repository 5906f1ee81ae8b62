"""Rules of columns as the API words them, read against the column's type, and back."""

from decimal import Decimal, InvalidOperation

from pydantic import JsonValue

from services.records.domain import checked_name, normalised
from services.records.errors import Faults
from services.records.schemas import Rules, RulesAnswer
from services.records.types.values import Fault, check_for, stored_text
from shared.errors import InvalidInputError
from shared.values.numbers import Number
from shared.values.patterns import UnsupportedPatternError
from shared.values.rule_checks import comparable, pattern_of
from shared.values.rules import (
    BOUNDS,
    NO_RULES,
    ColumnRules,
    Reference,
    RuleName,
    takes,
)
from shared.values.types import NUMBER_TYPES, TRUE_WORDS, ColumnType, TypeName

EXACT_DIGITS = 15
"""A JSON reader that makes doubles keeps so many digits."""


def rules_of(kind: ColumnType, sent: Rules | None, *, of: str) -> ColumnRules:
    """The rules of a column of this type; raises InvalidInputError naming every one in the way."""
    if sent is None:
        return NO_RULES
    faults = Faults()
    given: dict[str, object] = {}
    for name in RuleName:
        value = getattr(sent, name.value)
        if value is None:
            continue
        if not takes(kind, name):
            message = f"{kind.spelled()} takes no {name.value}"
            faults.add(f"{of}.{name.value}", "rule_does_not_fit", message)
            continue
        with faults.collecting():
            given[name.value] = _rule(kind, name, value, of=f"{of}.{name.value}")
    rules = ColumnRules.model_validate(given)
    with faults.collecting():
        _require_room(kind, rules, of=of)
    faults.refuse()
    return rules


def answer_of(kind: ColumnType, rules: ColumnRules) -> RulesAnswer | None:
    """The rules as answers show them, and definitions take them back; None for none."""
    if not rules:
        return None
    shown: dict[str, object] = {name.value: None for name in RuleName}
    for name, value in rules.given():
        shown[name.value] = rule_value(kind, name, value)
    return RulesAnswer.model_validate(shown)


def rule_value(kind: ColumnType, name: RuleName, value: object) -> object:
    """A rule's value as JSON."""
    if name in BOUNDS:
        return json_of(kind, str(value))
    if name is RuleName.ENUM:
        assert isinstance(value, tuple)
        return [json_of(kind, each) for each in value]
    if isinstance(value, Reference):
        return value.model_dump()
    return value


def json_of(kind: ColumnType, text: str) -> JsonValue:
    """A literal as JSON; numbers that JSON readers would round are texts."""
    if kind.name is TypeName.BOOLEAN:
        return text.lower() in TRUE_WORDS
    if kind.name not in NUMBER_TYPES:
        return text
    try:
        value = Decimal(text)
    except InvalidOperation:
        return text  # an expression that somebody wrote by hand
    if not value.is_finite() or len(value.as_tuple().digits) > EXACT_DIGITS:
        return text
    return int(value) if value == value.to_integral_value() else float(value)


def _rule(kind: ColumnType, name: RuleName, value: object, *, of: str) -> object:
    if name in BOUNDS:
        return _limit(kind, value, of=of)
    if name is RuleName.PATTERN:
        return _pattern(str(value), of=of)
    if name is RuleName.ENUM:
        assert isinstance(value, list)
        texts = [_limit(kind, each, of=f"{of}.{place}") for place, each in enumerate(value)]
        return tuple(dict.fromkeys(texts))
    if name is RuleName.REFERENCES:
        column = normalised(value.column)  # type: ignore[attr-defined]
        return Reference(
            table=checked_name(value.table, of=f"{of}.table"),  # type: ignore[attr-defined]
            column=column,
            on_delete=value.on_delete,  # type: ignore[attr-defined]
        )
    return value


def _limit(kind: ColumnType, value: object, *, of: str) -> str:
    """A value of the column's type as PostgreSQL's text of it."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    checked = Number(repr(value)) if plain else value
    result = check_for(kind)(checked) if checked is not None else Fault("not_null", "send a value")
    if isinstance(result, Fault):
        raise InvalidInputError.of(of, result.code, result.message)
    text = stored_text(kind, checked if result is None else result)
    if text.lower() == "nan":
        raise InvalidInputError.of(of, "out_of_range", "NaN is no limit")
    return text


def _pattern(pattern: str, *, of: str) -> str:
    try:
        pattern_of(pattern)
    except UnsupportedPatternError as exc:
        raise InvalidInputError.of(of, "unsupported_pattern", str(exc)) from exc
    return pattern


def _require_room(kind: ColumnType, rules: ColumnRules, *, of: str) -> None:
    """Raise InvalidInputError where no value could pass."""
    lows = [
        (comparable(kind, text), strict)
        for text, strict in ((rules.min, False), (rules.exclusive_min, True))
        if text is not None
    ]
    highs = [
        (comparable(kind, text), strict)
        for text, strict in ((rules.max, False), (rules.exclusive_max, True))
        if text is not None
    ]
    for low, low_strict in lows:
        for high, high_strict in highs:
            if low > high or (low == high and (low_strict or high_strict)):
                raise InvalidInputError.of(of, "no_value_fits", "the least is above the greatest")
    if (
        rules.min_length is not None
        and rules.max_length is not None
        and rules.min_length > rules.max_length
    ):
        message = "min_length is above max_length"
        raise InvalidInputError.of(of, "no_value_fits", message)
