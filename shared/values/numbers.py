"""JSON read and written without changing a digit of its numbers."""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import ClassVar, NoReturn, TypeAlias

from shared.values.texts import readable

JsonValue: TypeAlias = "str | bool | list[JsonValue] | dict[str, JsonValue] | None"
"""A parsed value; numbers are `Number`s, that is their text."""

_SURROGATE = re.compile("[\ud800-\udfff]")


VALUES_LIMIT = 500_000
"""JSON with more values is not parsed: each takes some hundred bytes, whatever its text does."""


def values_at_most(text: str) -> int:
    """At least as many values as a JSON text holds; commas and brackets in strings count too."""
    return text.count(",") + text.count("[") + text.count("{") + 1


class Number(str):
    """A number of a JSON text, as it was written."""

    __slots__ = ()


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON; send it as a text")


class Repeating(dict[str, JsonValue]):
    """An object of which a member is there twice; `member` names it."""

    __slots__ = ("member",)

    count: ClassVar[int] = 0
    """How many were made, by which a reader knows whether to look for one."""

    def __init__(self, pairs: list[tuple[str, JsonValue]]) -> None:
        super().__init__(pairs)
        times = Counter(name for name, _ in pairs)
        self.member = readable(next(name for name in times if times[name] > 1))
        Repeating.count += 1


def repeated_member(value: JsonValue) -> str | None:
    """The first member that is there twice in an object of what `scan_json` read."""
    values = [value]
    while values:
        each = values.pop()
        if isinstance(each, Repeating):
            return each.member
        if isinstance(each, dict | list):
            values.extend(reversed(each.values() if isinstance(each, dict) else each))
    return None


def _members_noted(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    members = dict(pairs)
    return members if len(members) == len(pairs) else Repeating(pairs)


def twice(member: str) -> str:
    """Why an object is refused of which a member is there twice."""
    return f"{member!r} is there twice in one object"


def _members(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    members = _members_noted(pairs)
    if isinstance(members, Repeating):
        raise ValueError(twice(members.member))  # noqa: TRY004
    return members


_scanner = json.JSONDecoder(
    parse_float=Number,
    parse_int=Number,
    parse_constant=_refuse_constant,
    object_pairs_hook=_members_noted,
)
_noting_decoder = json.JSONDecoder(
    parse_float=Number,
    parse_int=Number,
    parse_constant=Number,
    object_pairs_hook=_members_noted,
)
_decoder = json.JSONDecoder(
    parse_float=Number,
    parse_int=Number,
    parse_constant=_refuse_constant,
    object_pairs_hook=_members,
)

scan_json: Callable[[str, int], tuple[JsonValue, int]] = _scanner.scan_once  # type: ignore[attr-defined]
"""The value that begins at a place of a text, and the place behind it.

It is the C scanner itself: `raw_decode` would add a Python function to every value. Objects with a
member that is there twice are `Repeating`. Raises
StopIteration where no value begins, ValueError where one is broken, RecursionError.
"""


def read_json(text: str) -> JsonValue:
    """The one value of a text.

    Raises ValueError (NaN and Infinity are none; a member that is there twice would be lost),
    RecursionError.
    """
    value: JsonValue = _decoder.decode(text)
    return value


def read_noted(text: str) -> JsonValue:
    """The one value of a text; objects of which a member is there twice are `Repeating`.

    NaN and the infinities are read as numbers. Raises ValueError, RecursionError.
    """
    value: JsonValue = _noting_decoder.decode(text)
    return value


def read_once(text: str) -> JsonValue:
    """The same with Python's own numbers; for bodies that a model reads."""
    value: JsonValue = _plain_decoder.decode(text)
    return value


def read_exactly(text: str) -> JsonValue:
    """The same as `read_once`, but for numbers of which a float would lose a digit."""
    value: JsonValue = _exact_decoder.decode(text)
    return value


def _float_or_number(digits: str) -> "float | Number":
    number = float(digits)
    return number if repr(number) == digits else Number(digits)


_plain_decoder = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_members)
_exact_decoder = json.JSONDecoder(
    parse_float=_float_or_number, parse_constant=_refuse_constant, object_pairs_hook=_members
)


def json_text(value: object) -> str:
    """JSON of a value that was read here, its numbers as they were written.

    Spelled as PostgreSQL spells jsonb; letters beyond ASCII stay, halves of surrogate pairs are
    escaped. The parser takes values that are deeper than Python's stack lets this function follow.
    """
    try:
        return _recursive_text(value)
    except RecursionError:
        return _deep_text(value)


def _recursive_text(value: object) -> str:
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=_SURROGATE.search(value) is not None)
    if isinstance(value, Mapping):
        members = (
            f"{_recursive_text(key)}: {_recursive_text(item)}" for key, item in value.items()
        )
        return "{" + ", ".join(members) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_recursive_text, value)) + "]"
    return json.dumps(value)


def _deep_text(value: object) -> str:
    parts: list[str] = []
    left: list[tuple[bool, object]] = [(False, value)]
    while left:
        is_text, part = left.pop()
        if is_text or not isinstance(part, Mapping | list | tuple):
            parts.append(str(part) if is_text else _recursive_text(part))
            continue
        items: list[tuple[bool, object]] = []
        if isinstance(part, Mapping):
            for key, item in part.items():
                items += [(True, f"{', ' if items else ''}{_recursive_text(key)}: "), (False, item)]
            left += [(True, "}"), *reversed(items), (True, "{")]
        else:
            for item in part:
                items += [(True, ", " if items else ""), (False, item)]
            left += [(True, "]"), *reversed(items), (True, "[")]
    return "".join(parts)


def is_deeper(value: object, levels: int) -> bool:
    """Whether arrays and objects are nested in one another more often than that."""
    level = [value]
    for _ in range(levels + 1):
        level = [
            item
            for each in level
            if isinstance(each, Mapping | list | tuple)
            for item in (each.values() if isinstance(each, Mapping) else each)
        ]
        if not level:
            return False
    return True
