"""Patterns are read alike by PostgreSQL and by Rust, or refused by name."""

import random
import re

import asyncpg
import polars as pl
import pytest

from shared.values.patterns import UnsupportedPatternError, read
from tests.support.databases import Database
from tests.support.profile import only_in_full

TEXTS = [
    *("", "a", "A", "ab", "aab", "abc", "1", "12", "a1", "A-1", "a.b", "a\nb", "\n", "a\n", "\ta"),
    *("é", "É", "straße", "ß", "ы", "Ы", "日本", "x y", "x_y", "[a]", "a]b", "-", "^", "$", "\\"),
    *(
        "foo bar",
        "foobar",
        "bar",
        "fooébar",
        "é1",
        "٣",
        "K",
        "ſ",
        "İ",
        "ı",
        "😀",
        "a😀b",
        "&&",
        "~",
    ),
    *("<a>", "{2}", "a{2}", "(x)", "a|b", "10115", "00501-1234", "ann@example.com", "\x0b", "\x7f"),
]
ALIKE = [
    *("", "a", "^a$", "a|b", "a|", "(a|b)+c?", "^[a-z]+$", "[^a-z]", r"\d", r"^\d{5}(-\d{4})?$"),
    *(r"\w+\s\w+", r"\D", r"\W", r"\S", r"[\d-]", r"[\w.]+@[\w.]+", r"\bfoo\b", r"\Bbar", r"a.b"),
    *("(?s)a.b", "(?i)straße", "(?i)[a-c]", "(?i)É", "(?i)k", "(?i)s", "(?is)A.B", r"\.", r"\\"),
    *(r"^\[a\]$", r"[\]a]", "[&&]", "[a&&b]", "[~~]", "[a-]", "[-a]", "[<>]"),
    *("<a>", r"\-", "a{2}", "a{1,2}b", "a{1,}", "a*?b", "a+?", "a??b", "(?:ab)+", "(?P<n>a)b"),
    *("(?<n>a)b", "[[:alpha:]]+", "[[:digit:][:space:]]", r"\x41", r"é", r"\u{1F600}"),
    *(
        r"\t",
        r"\v",
        r"[\t\n]",
        r"\A12\z",
        "x^y",
        "日",
        "[日-月]",
        "(a|)",
        "((((a))))",
        "é",
        "[é-ü]",
    ),
    *("[é-ü]", r"\$", r"\^", r"\{2\}", r"\/", "/", '"', "'", "a$|^b", "[ -~]", "[^\\n]", "[\\\\]"),
]
REFUSED = [
    *(r"\p{L}", r"\1", "(a)\\1", "(?=a)", "(?<!a)", "(?m)^a", "(?x) a", "a(?i)b", "*a", "a**"),
    *("a++", "a{2}{3}", "a{256}", "a{3,2}", "^*", r"\b+", "(", ")", "(a", "a)", "[a", "[]", "[]a]"),
    *("[^]", "[z-a]", r"\Z", r"\h", r"\cA", r"\0", r"\x4", r"\u12", "[[=a=]]", "[[.a.]]", r"[\D]"),
    *("[[:^alpha:]]", "[[:nope:]]", "(?>a)", "(?#x)", "a{", "{2}", "\\"),
    *("(?i)[é-ü]", r"\ud800", "a\0b", "a" * 501, "(" * 51 + ")" * 51),
]


async def of_postgresql(connection: "asyncpg.Connection", pattern: str) -> list[bool]:
    rows = await connection.fetch(
        "SELECT t ~ $2 AS found FROM unnest($1::text[]) WITH ORDINALITY AS u (t, n) ORDER BY n",
        TEXTS,
        pattern,
    )
    return [row["found"] for row in rows]


def of_rust(pattern: str) -> list[bool]:
    return pl.Series(TEXTS).str.contains(pattern).to_list()


@only_in_full
@pytest.mark.parametrize("pattern", ALIKE)
async def test_both_find_the_same(database: Database, pattern: str) -> None:
    both = read(pattern)
    connection = await asyncpg.connect(database.url())
    found = await of_postgresql(connection, both.postgresql)
    await connection.close()
    assert found == of_rust(both.rust)


@pytest.mark.parametrize(
    ("pattern", "flags"),
    [(r"^\d{5}(-\d{4})?$", 0), (r"[\w.]+@[\w.]+", 0), ("a|b", 0), ("^[a-z]+$", 0), (r"\bfoo\b", 0)],
)
def test_they_find_what_everybody_expects(pattern: str, flags: int) -> None:
    expected = [re.search(pattern, text, re.ASCII | flags) is not None for text in TEXTS]
    # Python's `$` also stands before a line break at the end.
    assert [
        found
        for text, found in zip(TEXTS, of_rust(read(pattern).rust), strict=True)
        if not text.endswith("\n")
    ] == [found for text, found in zip(TEXTS, expected, strict=True) if not text.endswith("\n")]


@pytest.mark.parametrize("pattern", REFUSED)
def test_what_they_read_apart_is_refused(pattern: str) -> None:
    with pytest.raises(UnsupportedPatternError):
        read(pattern)


async def test_random_patterns_are_read_alike_or_refused(database: Database) -> None:
    chance = random.Random(20)
    pieces = [
        *("a", "b", "A", "1", ".", "^", "$", "|", "(", ")", "(?:", "[", "]", "[^", "-", "*", "+"),
        *(
            "?",
            "{1,2}",
            r"\d",
            r"\W",
            r"\b",
            r"\B",
            r"\s",
            "é",
            " ",
            r"\.",
            "&",
            "~",
            "<",
            "x",
            "\n",
        ),
        *("[a-c]", "[[:alpha:]]", "(?i)", "*?", r"\x61", "_", "ß", r"\]", "{", "}"),
    ]
    connection = await asyncpg.connect(database.url())
    accepted = 0
    for _ in range(3000):
        pattern = "".join(chance.choices(pieces, k=chance.randint(1, 7)))
        try:
            both = read(pattern)
        except UnsupportedPatternError:
            continue
        accepted += 1
        assert await of_postgresql(connection, both.postgresql) == of_rust(both.rust), pattern
    await connection.close()
    assert accepted > 300
