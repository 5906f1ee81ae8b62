"""JSON that keeps the digits of its numbers, both ways."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.values.numbers import Number, is_deeper, json_text, read_json, scan_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    "text",
    ["1.10", "-0", "1e400", "12345678901234567890.50", '{"a": [1.50, null, "1.50", true]}', '"é"'],
)
def test_what_is_read_is_written_as_it_was(text: str) -> None:
    assert json_text(read_json(text)) == text


@given(VALUES)
def test_every_value_comes_back(value: object) -> None:
    assert json.loads(json_text(read_json(json.dumps(value)))) == value


@pytest.mark.parametrize(("start", "end"), [("[", "]"), ('{"a": ', "}")])
@pytest.mark.parametrize("levels", [300, 900])
def test_what_the_parser_takes_is_written_however_deep(start: str, end: str, levels: int) -> None:
    text = f"{start * levels}1.50{end * levels}"
    assert json_text(read_json(text)) == text


@pytest.mark.parametrize(
    ("text", "levels"), [("1", 0), ("[]", 0), ("[1]", 1), ('{"a": [1, {}], "b": [[[2]]]}', 4)]
)
def test_the_levels_of_a_value_are_counted(text: str, levels: int) -> None:
    value = read_json(text)
    assert not is_deeper(value, levels)
    assert levels == 0 or is_deeper(value, levels - 1)


def test_a_number_is_told_from_a_text_of_digits() -> None:
    assert [type(item) for item in json.loads("[1]", parse_int=Number)] == [Number]
    value = read_json('["1", 1]')
    assert isinstance(value, list)
    assert [type(item) for item in value] == [str, Number]


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "[1,", "", "{} {}", "01", "+1"])
def test_what_is_no_json(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_json(text)


def test_half_a_surrogate_pair_stays_an_escape() -> None:
    assert json_text("é\ud800") == '"\\u00e9\\ud800"'


def test_a_value_is_scanned_out_of_a_longer_text() -> None:
    assert scan_json('[{"a": 1.0}, 2]', 1) == ({"a": "1.0"}, 11)
