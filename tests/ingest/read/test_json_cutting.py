"""JSON values cut out of text that arrives in pieces, and what is said of broken ones."""

import re

import pytest

from services.ingest.domain.outcome import RejectCode
from services.ingest.read.errors import DamagedFileError
from services.ingest.read.json.cutting import (
    ArrayCutter,
    Broken,
    Element,
    LineCutter,
    ValueCutter,
)
from services.ingest.read.limits import Limits
from shared.values.numbers import VALUES_LIMIT, Number
from tests.support.profile import only_in_full


@pytest.mark.parametrize("piece_bytes", [1, 700, 65_536])
@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ("", "breaks off behind element 300"),
        ("\n ", "breaks off behind element 300"),
        (",", "breaks off behind element 300"),
        (",{", "breaks off behind element 300"),
        (',{"a"', "breaks off behind element 300"),
        (',{"a":', "breaks off behind element 300"),
        (',{"a":"x', "breaks off behind element 300"),
        (',{"a":tru', "breaks off behind element 300"),
        (',{"a":1.', "breaks off behind element 300"),
        (',{"a":"\\u00', "breaks off behind element 300"),
        (',{"a":1}', "breaks off behind element 301"),
        (',{"a":1} ', "breaks off behind element 301"),
        (',{"a":}]', "element 301 is not JSON"),
        (",x]", "element 301 is not JSON"),
        (',{"a":NaN}]', "element 301 is not JSON"),
        (',{"a" 1}]', "element 301 is not JSON: Expecting ':' delimiter"),
        (",]", "a comma behind element 300 ends the array"),
        (' {"a":1}]', "a comma is missing behind element 300"),
        (',{"a":1} {"a":2}]', "a comma is missing behind element 301"),
        (',{"a":1}x]', "a comma is missing behind element 301"),
        ("] x", "more text behind the end"),
        (f",{'[' * 2000}", "element 301 is nested too deep"),
    ],
)
def test_what_is_wrong_with_a_broken_array(
    end: str, reason: str, *, flat: bool, piece_bytes: int
) -> None:
    data = "[" + ",".join(['{"a":1}'] * 300) + end
    with pytest.raises(DamagedFileError, match=re.escape(reason)):
        cut(data, piece_bytes, flat=flat)


def cut(data: str, piece_bytes: int, *, flat: bool) -> None:
    """An array in pieces, by polars where it can be; as `JsonReader` does it."""
    cutter = ArrayCutter(Limits())
    for at in range(0, len(data), piece_bytes):
        piece = data[at : at + piece_bytes]
        whole = cutter.flat(piece, final=False) if flat and at else None
        if whole is None:
            list(cutter.feed(piece, final=False))
        else:
            for element, number in zip(*whole, strict=True):
                cutter.read(element, number)
    list(cutter.feed("", final=True))


@pytest.mark.parametrize("piece_chars", [1, 7, 5_000])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ('{"b":"' + "x" * 80 + '\\"]}"}', "is broken, or larger than"),
        ('"' + "x" * 80 + '\\\\"', "is broken, or larger than"),
        ("[" * 2000 + '"]}"' + "]" * 2000, "is"),
    ],
)
@pytest.mark.parametrize("cutter", [ArrayCutter, ValueCutter])
def test_a_value_that_is_not_read_is_refused_and_the_next_ones_are_read(
    cutter: type[ArrayCutter | ValueCutter], value: str, reason: str, piece_chars: int
) -> None:
    between = "," if cutter is ArrayCutter else " "
    text = between.join(['{"a":1}', value, ' {"a":2}'])
    text = f"[{text}]" if cutter is ArrayCutter else text
    cutting = cutter(Limits(record_bytes=50))
    found = [
        each
        for at in range(0, len(text), piece_chars)
        for each in cutting.feed(text[at : at + piece_chars], final=False)
    ]
    found += cutting.feed("", final=True)
    if piece_chars == 5_000 and "xx" in value:  # it came whole
        assert all(isinstance(each, Element) for each in found)
    else:
        assert isinstance(found[1], Broken)
        assert f"2 {reason}" in found[1].reason
    assert [each.line for each in found] == [1, 2, 3]
    assert [found[0], found[2]] == [
        Element(1, {"a": Number("1")}, '{"a":1}'),
        Element(3, {"a": Number("2")}, '{"a":2}'),
    ]


@only_in_full
def test_json_of_too_many_values_is_not_parsed() -> None:
    many = f'{{"a":[{"1," * VALUES_LIMIT}1]}}'
    for cutter, text in (
        (ArrayCutter(Limits()), f"[{many[:-1]}"),
        (ValueCutter(Limits()), many[:-1]),
        (LineCutter(Limits()), many),
    ):
        (broken,) = cutter.feed(text, final=isinstance(cutter, LineCutter))
        assert isinstance(broken, Broken)
        assert broken.code is RejectCode.TOO_LONG
        assert f"more than {VALUES_LIMIT:,} values" in broken.reason


@pytest.mark.parametrize("data", ["", "  ", "{}", "x", "\ufeff"])
def test_what_does_not_begin_with_an_array(data: str) -> None:
    with pytest.raises(DamagedFileError, match="does not begin with a JSON array"):
        list(ArrayCutter(Limits()).feed(data, final=True))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("x", "the line is not JSON"),
        ('{"a":', "the line is not JSON"),
        ('{"a" 1}', "the line is not JSON: Expecting ':' delimiter: line 1 column 6 (char 5)"),
        ("[" * 2000, "the line is nested too deep"),
        ("{} {}", "the line has more than one value, from character 3"),
        ('{"a":NaN}', "the line is not JSON: NaN is no JSON; send it as a text"),
    ],
)
def test_what_is_wrong_with_a_line(line: str, reason: str) -> None:
    (broken,) = LineCutter(Limits()).feed(f"\n {line}\r\n", final=False)
    assert broken == Broken(2, reason, line)


def test_a_line_beyond_the_limit_is_skipped_as_it_comes() -> None:
    cutter = LineCutter(Limits(record_bytes=20))
    found = [
        *cutter.feed('{"a":1}\n{"b":"xxxxxxxxxxxx', final=False),
        *cutter.feed("y" * 30, final=False),
        *cutter.feed("z" * 30, final=False),
        *cutter.feed('"}\n{"c":2}', final=True),
    ]
    assert [(each.line, isinstance(each, Broken)) for each in found] == [
        (1, False), (2, True), (3, False),
    ]  # fmt: skip
