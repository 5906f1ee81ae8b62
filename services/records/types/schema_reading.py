"""A table out of a JSON Schema: our own, or one from elsewhere, read by type, format and limits.

What a column cannot keep (`if`, `multipleOf`, an unknown `format`, …) is refused by its place, or
on demand left out and listed; nothing is lost without a word. The inside of values that become JSON
columns (`items`, `properties`) describes them, and is not held.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue, ValidationError

from services.records.domain import ColumnSpec
from services.records.errors import Faults
from services.records.schemas import ColumnDefinition, NewTable, Rules
from services.records.types.definitions import keys_of, specs_of
from services.records.types.json_schema import (
    ANY_TYPE,
    FORMAT_WORDS,
    INTEGER_FORMATS,
    NUMBER_FORMATS,
    NUMBER_WORDS,
    SHAPES,
    STRING_FORMATS,
)
from shared.contracts.records import ID_COLUMN
from shared.errors import InvalidInputError
from shared.values.names import of_api
from shared.values.numbers import Number
from shared.values.texts import readable
from shared.values.types import INTEGER_BITS, LENGTH_LIMIT, NUMBER_TYPES, ColumnType, TypeName

REFERENCE_DEPTH = 20
PLACE = "json_schema"
NOTES = frozenset(
    {"title", "description", "examples", "example", "deprecated", "readOnly", "writeOnly"}
    | {"$comment", "$id", "$anchor", "nullable"}
)
"""Keywords that say nothing of values, and one of OpenAPI 3.0."""
OWN = frozenset({"type", "format", "default", "x-type", "x-unique", "x-searchable", "x-default"})
INSIDE = frozenset(
    {"items", "prefixItems", "properties", "additionalProperties", "required", "propertyNames"}
    | {"patternProperties", "$defs", "definitions"}
)
"""The inside of an array or object."""
TABLE_KEYWORDS = NOTES | {
    *("$schema", "type", "properties", "required", "additionalProperties", "$defs"),
    *("definitions", "x-unique"),
}
BOUND_WORDS = {
    **{word: name.value for name, word in NUMBER_WORDS.items()},
    **{word: name.value for name, word in FORMAT_WORDS.items()},
}
TEXT_WORDS = {"minLength": "min_length", "maxLength": "max_length", "pattern": "pattern"}

_DECIMAL = "^(?!^[-+.]*$)[+-]?0*"
"""How the patterns of pydantic's `Decimal` begin."""
_DECIMAL_DIGITS = re.compile(r"\\d\{0,(\d+)\}\\\.\\d\{0,(\d+)\}0\*\$")


@dataclass(frozen=True, slots=True)
class TableSchema:
    """What a new table is, out of its definition."""

    columns: tuple[ColumnSpec, ...]
    unique: tuple[tuple[str, ...], ...]
    description: str | None
    ignored: tuple[str, ...] = ()


def table_of(new: NewTable, *, ignoring: bool = False) -> TableSchema:
    """A new table, given one way or the other.

    With `ignoring`, keywords that cannot be kept are left out and listed. Raises
    InvalidInputError.
    """
    if (new.columns is None) == (new.json_schema is None):
        raise InvalidInputError.of(
            "columns", "missing", "send either columns (which may be empty) or json_schema"
        )
    if new.columns is not None:
        specs = specs_of(new.columns, of="columns")
        return TableSchema(specs, tuple(keys_of(new.unique, specs)), new.description)
    assert new.json_schema is not None
    reader = SchemaReader(new.json_schema)
    definitions = reader.definitions()
    if not ignoring:
        reader.refuse_unsupported()
    specs = specs_of(definitions, of=f"{PLACE}.properties")
    description = new.description
    if description is None and isinstance(described := new.json_schema.get("description"), str):
        description = described
    unique = tuple(keys_of([*new.unique, *reader.keys()], specs))
    return TableSchema(specs, unique, description, tuple(reader.unsupported))


@dataclass
class SchemaReader:
    """One schema being read; `unsupported` are the places of keywords that cannot be kept."""

    root: Mapping[str, JsonValue]
    unsupported: list[str] = field(default_factory=list)

    def definitions(self) -> list[ColumnDefinition]:
        """The columns that it describes, `id` left out; raises InvalidInputError."""
        properties = self.root.get("properties")
        if self.root.get("type", "object") != "object" or not isinstance(properties, dict):
            raise InvalidInputError.of(
                PLACE, "invalid_schema", 'send a schema of type "object" with "properties"'
            )
        for keyword in self.root:
            if keyword not in TABLE_KEYWORDS:
                self._leave_out(keyword)
        if isinstance(self.root.get("additionalProperties"), dict):
            self._leave_out("additionalProperties")
        required = self.root.get("required", [])
        names = set(map(str, required)) if isinstance(required, list) else set()
        return [
            self._definition(name, each, required=name in names)
            for name, each in properties.items()
            if name != ID_COLUMN
        ]

    def keys(self) -> list[list[str]]:
        """The composite keys of our own schemas."""
        keys = self.root.get("x-unique", [])
        if not isinstance(keys, list) or not all(isinstance(each, list) for each in keys):
            raise InvalidInputError.of(f"{PLACE}.x-unique", "invalid_schema", "send lists of names")
        return [[str(name) for name in key] for key in keys if isinstance(key, list)]

    def refuse_unsupported(self) -> None:
        """Raise InvalidInputError naming each place that cannot be kept."""
        faults = Faults()
        for place in self.unsupported:
            message = "no column can keep this; leave it out, or send `?unsupported=ignore`"
            faults.add(f"{PLACE}.{place}", "unsupported_keyword", message)
        faults.refuse()

    def _leave_out(self, *place: str) -> None:
        self.unsupported.append(".".join(readable(part) for part in place))

    def _definition(self, name: str, given: JsonValue, *, required: bool) -> ColumnDefinition:
        schema, null_allowed = self._resolved(name, given)
        kinds = schema.get("type")
        listed = kinds if isinstance(kinds, list) else [kinds] if kinds is not None else []
        null_allowed |= "null" in listed or schema.get("nullable") is True
        kind = self._type(name, schema, [each for each in listed if each != "null"])
        default = schema.get("x-default", schema.get("default"))
        description = schema.get("description")
        rules = self._rules(name, schema, kind)
        try:
            return ColumnDefinition(
                name=name,
                type=kind,
                nullable=null_allowed or not (required or default is not None),
                unique=schema.get("x-unique") is True,
                default=default,
                description=description if isinstance(description, str) else None,
                searchable=schema.get("x-searchable") is True,
                rules=Rules.model_validate(rules) if rules else None,
            )
        except ValidationError as exc:
            reason = exc.errors()[0]["msg"].removeprefix("Value error, ")
            place = f"{PLACE}.properties.{readable(name)}"
            raise InvalidInputError.of(place, "invalid_schema", reason) from exc

    def _resolved(self, name: str, given: JsonValue) -> tuple[dict[str, JsonValue], bool]:
        """A property with local references followed, and null taken out of its alternatives."""
        null_allowed = False
        for _ in range(REFERENCE_DEPTH):
            if not isinstance(given, dict):
                return {}, True
            reference = given.get("$ref")
            if isinstance(reference, str):
                beside = {key: value for key, value in given.items() if key != "$ref"}
                target = self._target(reference)
                given = {**target, **beside} if isinstance(target, dict) else beside
                continue
            word = next((each for each in ("anyOf", "oneOf", "allOf") if each in given), None)
            alternatives = given.get(word) if word else None
            if word is None or not isinstance(alternatives, list):
                return dict(given), null_allowed
            rest = [each for each in alternatives if each != {"type": "null"}]
            null_allowed |= len(rest) < len(alternatives)
            beside = {key: value for key, value in given.items() if key != word}
            decimal = _decimal_of(rest) if word != "allOf" else None
            if decimal is not None:
                return {**decimal, **beside}, null_allowed
            if len(rest) != 1 or not isinstance(rest[0], dict):
                self._leave_out("properties", name, word)
                return beside, null_allowed
            given = {**rest[0], **beside}
        raise InvalidInputError.of(PLACE, "invalid_schema", "its references go in circles")

    def _target(self, reference: str) -> JsonValue:
        place: JsonValue = dict(self.root)
        for step in reference.removeprefix("#").strip("/").split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            if not reference.startswith("#") or not isinstance(place, dict) or name not in place:
                raise InvalidInputError.of(
                    PLACE, "invalid_schema", f"the reference {reference[:80]!r} leads nowhere"
                )
            place = place[name]
        return place

    def _type(self, name: str, schema: Mapping[str, JsonValue], kinds: list[JsonValue]) -> str:
        spelled = schema.get("x-type")
        if isinstance(spelled, str):
            return spelled
        if len(kinds) > 1 and set(map(str, kinds)) != set(ANY_TYPE):
            self._leave_out("properties", name, "type")
        kind = kinds[0] if len(kinds) == 1 else _kind_of_values(schema) if not kinds else None
        form = schema.get("format")
        if kind == "string":
            return _string_type(schema, form)
        if kind == "integer":
            return _integer_type(schema, form)
        if kind == "number":
            return NUMBER_FORMATS.get(str(form), "NUMERIC")
        return "BOOLEAN" if kind == "boolean" else "JSON"

    def _rules(
        self, name: str, schema: Mapping[str, JsonValue], spelled: str
    ) -> dict[str, JsonValue]:
        """The rules of a property; keywords that its column cannot keep are noted."""
        try:
            kind = of_api(spelled)
        except ValueError:
            return {}  # refused by name where the column is made
        own = _own_shape(kind)
        rules: dict[str, JsonValue] = {}
        for keyword, value in schema.items():
            if keyword in NOTES or keyword in OWN:
                if keyword == "format" and not _is_known_format(kind, value):
                    self._leave_out("properties", name, keyword)
            elif keyword in INSIDE and kind.name is TypeName.JSON:
                continue
            elif own.get(keyword) == value:
                continue  # what the type says already
            elif (rule := _rule(kind, keyword, value)) is not None:
                rules |= rule
            else:
                self._leave_out("properties", name, keyword)
        return rules


def _rule(kind: ColumnType, keyword: str, value: JsonValue) -> dict[str, JsonValue] | None:
    """A keyword as a rule of a column of this type; None where it is none."""
    if keyword in BOUND_WORDS and not isinstance(value, bool):
        of_numbers = keyword in NUMBER_WORDS.values()
        if of_numbers == (kind.name in NUMBER_TYPES):
            return {BOUND_WORDS[keyword]: value}
    if keyword in TEXT_WORDS and kind.name in (TypeName.TEXT, TypeName.VARCHAR, TypeName.CHAR):
        return {TEXT_WORDS[keyword]: value}
    if keyword == "enum" and isinstance(value, list) and kind.name is not TypeName.JSON:
        choices: list[JsonValue] = [each for each in value if each is not None]
        return {"enum": choices} if choices else None
    if keyword == "const" and value is not None and kind.name is not TypeName.JSON:
        return {"enum": [value]}
    if keyword == "x-references":
        return {"references": value}
    return None


def _own_shape(kind: ColumnType) -> Mapping[str, JsonValue]:
    """What a schema of the type alone says of its values."""
    if kind.name in INTEGER_BITS:
        bits = INTEGER_BITS[kind.name]
        return {"minimum": -(2**bits), "maximum": 2**bits - 1}
    if kind.length is not None:
        return {"maxLength": kind.length}
    return SHAPES.get(kind.name, {})


def _is_known_format(kind: ColumnType, form: JsonValue) -> bool:
    known = {**STRING_FORMATS, **NUMBER_FORMATS, **INTEGER_FORMATS}
    return isinstance(form, str) and known.get(form) == kind.name.value


def _decimal_of(alternatives: list[JsonValue]) -> dict[str, JsonValue] | None:
    """Pydantic's `Decimal`: a number, or a text of one."""
    if len(alternatives) != 2:
        return None
    by_type = {str(each.get("type")): each for each in alternatives if isinstance(each, dict)}
    if set(by_type) != {"number", "string"}:
        return None
    pattern = str(by_type["string"].get("pattern", _DECIMAL))
    if set(by_type["string"]) - {"type", "pattern", "title"} or not pattern.startswith(_DECIMAL):
        return None
    return {**by_type["number"], "x-type": _decimal_type(pattern)}


def _decimal_type(pattern: str) -> str:
    digits = _DECIMAL_DIGITS.search(pattern)
    if digits is None:
        return "NUMERIC"
    whole, scale = int(digits[1]), int(digits[2])
    return f"NUMERIC({whole + scale},{scale})"


def _kind_of_values(schema: Mapping[str, JsonValue]) -> JsonValue:
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    if not isinstance(values, list):
        return None
    kinds = {_kind_of(value) for value in values if value is not None}
    if kinds == {"integer", "number"}:
        return "number"
    return kinds.pop() if len(kinds) == 1 else None


def _kind_of(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, float | Number):
        return "number"
    return {int: "integer", str: "string"}.get(type(value), "object")


def _string_type(schema: Mapping[str, JsonValue], form: JsonValue) -> str:
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and pattern.startswith(_DECIMAL):
        return _decimal_type(pattern)
    if isinstance(form, str) and form in STRING_FORMATS:
        return STRING_FORMATS[form]
    length = schema.get("maxLength")
    if isinstance(length, int) and not isinstance(length, bool) and 1 <= length <= LENGTH_LIMIT:
        return f"VARCHAR({length})"
    return "TEXT"


def _integer_type(schema: Mapping[str, JsonValue], form: JsonValue) -> str:
    if isinstance(form, str) and form in INTEGER_FORMATS:
        return INTEGER_FORMATS[form]
    low, high = schema.get("minimum"), schema.get("maximum")
    if isinstance(low, int | float) and isinstance(high, int | float):
        for name in (TypeName.SMALLINT, TypeName.INTEGER):
            bits = INTEGER_BITS[name]
            if -(2**bits) <= low and high <= 2**bits - 1:
                return name.value
    return "BIGINT"
