"""JSON elements that are flat objects of plain scalars, read by polars: nearly all there are.

An element is flat when it matches a template made from another element: known keys, each at most
once and in the same order, scalars only. polars checks the syntax, and turns floats into its own
spelling, so their text is taken from the element. Whatever is not flat is read one by one.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl
from polars.exceptions import PolarsError

from shared.values.texts import NULL_WORDS

# No control characters, and no halves of characters, which polars would turn into U+0000.
_STRING = (
    r'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]'
    r'|\\u(?:[0-9a-cA-CefEF][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2}))*"'
)
_INTEGER = r"-?(?:[1-9][0-9]{0,17}|0)"
_FLOAT = rf"{_INTEGER}(?:\.[0-9]{{1,40}})?(?:[eE][+-]?[0-9]{{1,2}})?"
_WORD = "true|false|null"
_SPACE = r"[ \t\n\r]*"
# The braces of a flat object, wherever strings hold others.
_OBJECT = r'\{[^{}"]*(?:"(?:[^"\\]|\\.)*"[^{}"]*)*\}'
_ELEMENT, _FLAT = "\0element", "\0flat"
"""Names that no key has."""
_FURTHER_OBJECT = rf"{_SPACE},{_SPACE}{_OBJECT}"


@dataclass(frozen=True, slots=True)
class Template:
    """The keys of an element in their order, and those of them that hold floats."""

    keys: tuple[str, ...]
    floats: frozenset[str] = frozenset()

    @property
    def shape(self) -> str:
        """A regular expression of every element that is like it; any key may be left out."""
        pairs = "".join(
            rf'(?:"{re.escape(key)}"{_SPACE}:{_SPACE}'
            rf"(?:{_STRING}|{number}|{_WORD}){_SPACE},?{_SPACE})?"
            for key, number in (
                (key, _FLOAT if key in self.floats else _INTEGER) for key in self.keys
            )
        )
        return rf"^{_SPACE}\{{{_SPACE}{pairs}\}}{_SPACE}$"


def template_of(element: Iterable[str], floats: frozenset[str]) -> Template | None:
    """The template of an element with these keys; None where a key could be spelled otherwise."""
    keys = tuple(element)
    plain = all(key.isprintable() and '"' not in key and "\\" not in key for key in keys)
    return Template(keys, floats) if plain and keys else None


def objects_in(text: str, *, further: bool) -> tuple[pl.Series, str] | None:
    """The flat objects at the start of a row of array elements, and the text behind them.

    `further`: an element came before, so a comma comes first. None when something else stands
    among them, so that the row has to be read exactly.
    """
    row = text if further else "," + text
    found = pl.Series([row]).str.extract_all(_FURTHER_OBJECT).explode().drop_nulls()
    if not len(found):
        return None
    # One behind the other from the start: then nothing else stands among them.
    joined: str = found.str.join().item()
    if not row.startswith(joined):
        return None
    return found.str.strip_chars_start(", \t\n\r"), row[len(joined) :]


def read_flat(
    elements: pl.Series, template: Template, columns: Sequence[str]
) -> tuple[pl.DataFrame, pl.Series] | None:
    """The cells of the elements that are flat, and for each element whether it is.

    `String` columns, null for null and for what is missing. None when polars takes offence.
    """
    floats = sorted(template.floats.intersection(columns))
    # One expression each, so that polars runs them at the same time.
    seen = (
        elements.alias(_ELEMENT)
        .to_frame()
        .select(
            pl.col(_ELEMENT).str.contains(template.shape).alias(_FLAT),
            *(_number(pl.col(_ELEMENT), key, r"-?[0-9][0-9.eE+\-]*").alias(key) for key in floats),
        )
    )
    flat = seen[_FLAT]
    taken = elements.filter(flat)
    schema = dict.fromkeys(columns, pl.String())
    if not len(taken):
        return pl.DataFrame(schema=schema), flat
    text: str = taken.str.join("\n").item()
    if "\r" in text or text.count("\n") >= len(taken):
        text = taken.str.replace_all("[\r\n]", " ").str.join("\n").item()
    try:
        cells = pl.read_ndjson(text.encode(), schema=schema)
    except PolarsError:
        return None
    if cells.height != len(taken):
        return None
    spelled = seen.filter(flat)
    cells = cells.with_columns(pl.coalesce(spelled[key], pl.col(key)).alias(key) for key in floats)
    if taken.str.contains(rf":{_SPACE}-0").any():  # polars has no sign on it
        for key in [key for key in cells.columns if (cells[key] == "0").any()]:
            zero = taken.to_frame().select(_number(pl.first(), key, "-0")).to_series()
            cells = cells.with_columns(pl.coalesce(zero, pl.col(key)).alias(key))
    return cells, flat


def _number(elements: pl.Expr, key: str, number: str) -> pl.Expr:
    """The text of a key's value where it begins with such a number."""
    return elements.str.extract(rf'"{re.escape(key)}"{_SPACE}:{_SPACE}({number})')


def first_string(elements: pl.Series, cells: pl.Series) -> int | None:
    """The first element in which a key, the name of its cells, holds a text."""
    found = elements.str.contains(rf'"{re.escape(cells.name)}"{_SPACE}:{_SPACE}"')
    found &= ~cells.is_in(list(NULL_WORDS))
    return found.arg_max() if found.any() else None


def absent_keys(elements: pl.Series, cells: pl.DataFrame) -> dict[str, pl.Series]:
    """For columns that some flat elements have not, which these are."""
    absent: dict[str, pl.Series] = {}
    for name in cells.columns:
        if cells[name].null_count():
            mark = ~elements.str.contains(rf'"{re.escape(name)}"{_SPACE}:')
            if mark.any():
                absent[name] = mark
    return absent
