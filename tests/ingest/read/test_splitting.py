"""Any text at all, split by blocks, against the quoting rules written down plainly.

Without a database, so that thousands of texts can be tried: quotes where they belong and where
they do not, lone carriage returns, ragged and blank lines, cut into blocks at any byte.
"""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.read.csv.blocks import BlockCutter
from services.ingest.read.csv.frames import CsvReader
from services.ingest.read.csv.layout import Layout
from services.ingest.read.csv.quoting import Dialect
from services.ingest.read.limits import Limits
from tests.support.profile import examples

Row = tuple[int, tuple[str | None, ...]]


@dataclass
class Split:
    rows: list[Row] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)


def plain_split(text: str, width: int, quote: str, *, skip_blank: bool) -> Split:
    """Character by character, by the rules of `services.ingest.read.csv.quoting`."""
    found, at, line = Split(), 0, 1
    while at < len(text):
        fields, end = plain_record(text, at, quote)
        if isinstance(fields, str):
            end = text.find("\n", at) + 1 or len(text)
            found.refused.append((line, fields))
        elif text[at:end] not in ("\n", "\r\n", "\r"):
            if len(fields) == width:
                if not (skip_blank and set(fields) == {None}):
                    found.rows.append((line, tuple(fields)))
            elif not (skip_blank and not text[at:end].strip(", \t\r\n")):
                few = len(fields) < width
                found.refused.append((line, "too_few_fields" if few else "too_many_fields"))
        line += text.count("\n", at, end)
        at = end
    return found


def plain_record(  # noqa: C901 - the rules in one piece
    text: str, at: int, quote: str
) -> tuple[list[str | None] | str, int]:
    fields: list[str | None] = []
    while True:
        value, quoted = "", False
        if quote and text[at : at + 1] == quote:
            quoted = True
            at += 1
            while True:
                close = text.find(quote, at)
                if close < 0:
                    return "too_few_fields", 0
                value += text[at:close]
                at = close + 1
                if text[at : at + 1] != quote:
                    break
                value += quote
                at += 1
        tail_start = at
        while at < len(text) and text[at] not in ",\n":
            at += 1
        tail = text[tail_start:at]
        if (at >= len(text) or text[at] == "\n") and tail.endswith("\r"):
            tail = tail[:-1]
        if quoted and tail:
            return "too_few_fields" if "\n" in value else "stray_quote", 0
        fields.append(value if quoted else tail or None)
        if at >= len(text):
            return fields, at
        at += 1
        if text[at - 1] == "\n":
            return fields, at


def split_in_blocks(text: str, width: int, quote: str, block: int, *, skip_blank: bool) -> Split:
    dialect = Dialect(quote=quote.encode() or None)
    cutter = BlockCutter(dialect, Limits())
    reader = CsvReader(Layout(tuple(f"c{n}" for n in range(width)), skip_blank=skip_blank), dialect)
    data = text.encode()
    pieces = [data[at : at + block] for at in range(0, len(data), block)] or [b""]
    found = Split()
    for number, piece in enumerate(pieces, 1):
        frame = reader.read(cutter.feed(piece, final=number == len(pieces)))
        found.rows += zip(frame.lines.to_list(), frame.cells.rows(), strict=True)
        found.refused += [(row.line, row.code.value) for row in frame.refused]
    return found


@settings(max_examples=examples(1500), deadline=None)
@given(
    text=st.lists(
        st.sampled_from(["a", "é", ",", '"', "\n", "\r\n", "\r", '""', '"a"', ',"', '",', " "]),
        max_size=30,
    ).map("".join),
    width=st.integers(1, 3),
    quote=st.sampled_from(['"', '"', '"', ""]),
    block=st.sampled_from([1, 2, 5, 17, 1000]),
    skip_blank=st.booleans(),
)
def test_blocks_split_like_the_rules_say(
    text: str, width: int, quote: str, block: int, skip_blank: bool
) -> None:
    in_blocks = split_in_blocks(text, width, quote, block, skip_blank=skip_blank)
    assert in_blocks == plain_split(text, width, quote, skip_blank=skip_blank)
