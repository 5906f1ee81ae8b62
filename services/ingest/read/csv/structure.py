"""The records of a block that polars does not take as it is, found by positions of bytes."""

import re
from collections.abc import Sequence

import polars as pl

from services.ingest.read.csv.blocks import Run
from services.ingest.read.csv.layout import Layout
from services.ingest.read.csv.quoting import LF, Dialect
from services.ingest.read.pieces import byte_series

NUMBER_OR_DATE = re.compile(
    r"[-+(]?\s*[$€£¥]?\s*[\d.,'\u00a0\u202f ]*\d[\d.,]*\s*[$€£¥)%-]?"
    r"|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[ T].*)?|\d{1,2}:\d{2}(?::[\d.]+)?.{0,6}"
)
"""What a person takes for a number, a date or a time; anything else is a word."""

RULE = re.compile(rb"[ \t]*(?=[^\n]*(?:---|===))[-+=|: ]+[ \t]*\r?\n?")
"""A line drawn between rows, as in `+----+-----+` and `|---|---|`."""


def physical_lines(runs: Sequence[Run]) -> pl.Series:
    """The number of every physical line in the runs' joined text, `Int64`."""
    parts = [pl.int_range(run.first_line, run.end_line, eager=True) for run in runs]
    return pl.concat(parts) if parts else pl.Series([], dtype=pl.Int64)


def structure_of(text: bytes, dialect: Dialect, line_starts: pl.Series) -> pl.DataFrame:
    """The records of text whose quotes are all regular and which ends with a newline.

    One row per record: `start`, `end` (without the newline), `fields`, `blank`, `line`, and by
    physical lines of the text, from 0: `first`, `last`.
    """
    codes = byte_series(text)
    newlines = (codes == LF[0]).arg_true()
    delimiters = (codes == dialect.delimiter[0]).arg_true()
    index = pl.int_range(len(newlines), eager=True)
    if dialect.quote is not None and dialect.quote in text:
        quotes = (codes == dialect.quote[0]).arg_true()
        outside = quotes.search_sorted(newlines) % 2 == 0
        newlines, index = newlines.filter(outside), index.filter(outside)
        delimiters = delimiters.filter(quotes.search_sorted(delimiters) % 2 == 0)
    before = delimiters.search_sorted(newlines).cast(pl.Int64)
    fields = before - before.shift(1, fill_value=0) + 1
    ends = newlines.cast(pl.Int64)
    starts = ends.shift(1, fill_value=-1) + 1
    first = index.shift(1, fill_value=-1) + 1
    length = ends - starts
    blank = (length == 0) | ((length == 1) & (codes.gather(starts) == ord("\r")))
    return pl.DataFrame(
        {
            "start": starts,
            "end": ends,
            "fields": fields,
            "blank": blank,
            "line": line_starts.gather(first),
            "first": first,
            "last": index,
        }
    )


def ambiguous(text: bytes, records: pl.DataFrame, dialect: Dialect, layout: Layout) -> pl.Series:
    """For each record, whether its lines would be records of their own without the quotes."""
    none = pl.repeat(value=False, n=records.height, dtype=pl.Boolean, eager=True)
    several = (records["last"] > records["first"]).arg_true()
    if not layout.quote_guessed or not len(several):
        return none
    codes = byte_series(text)
    newlines = (codes == LF[0]).arg_true()
    before = (codes == dialect.delimiter[0]).arg_true().search_sorted(newlines).cast(pl.Int64)
    delimiters = before - before.shift(1, fill_value=0)
    unfit = (delimiters != layout.width - 1).cast(pl.Int64).cum_sum()
    up_to_last = unfit.gather(records["last"].gather(several))
    up_to_first = unfit.shift(1, fill_value=0).gather(records["first"].gather(several))
    places = several.filter(up_to_last == up_to_first).to_list()
    rows = records.select("start", "end")[places].rows()
    found = [
        place
        for place, (start, end) in zip(places, rows, strict=True)
        if fits_by_lines(text[start:end], dialect, layout)
    ]
    return none.scatter(found, True) if found else none  # noqa: FBT003


def fits_by_lines(raw: bytes, dialect: Dialect, layout: Layout) -> bool:
    """Whether every line of a record is one by itself, if quotes are plain characters."""
    for line in raw.rstrip(b"\r\n").split(LF):
        cells = line.rstrip(b"\r").split(dialect.delimiter)
        if len(cells) != layout.width:
            return False
        quote = dialect.quote or b""
        for at in layout.numeric:
            cell = cells[at].strip(quote + b" \t").decode(errors="replace")
            if cell and NUMBER_OR_DATE.fullmatch(cell) is None:
                return False
    return True


def decodable(text: bytes, records: pl.DataFrame) -> pl.Series:
    """For each record of `structure_of`, whether it is UTF-8."""
    try:
        text.decode()
    except UnicodeDecodeError:
        spans = records.select("start", "end").rows()
        return pl.Series([is_text((text[start:end],)) for start, end in spans], dtype=pl.Boolean)
    return pl.repeat(value=True, n=records.height, dtype=pl.Boolean, eager=True)


def is_text(fields: Sequence[bytes | None]) -> bool:
    """Whether every field is UTF-8."""
    try:
        for field in fields:
            if field is not None:
                field.decode()
    except UnicodeDecodeError:
        return False
    return True


def joined(text: bytes, kept: pl.DataFrame) -> bytes:
    """The kept records' bytes, copied in as few slices as they allow."""
    if not kept.height:
        return b""
    starts, stops = kept["start"], kept["end"] + 1
    breaks = (starts.slice(1) != stops.head(kept.height - 1)).arg_true()
    first = [0, *(breaks + 1).to_list()]
    last = [*breaks.to_list(), kept.height - 1]
    slices = zip(starts.gather(first).to_list(), stops.gather(last).to_list(), strict=True)
    return b"".join(text[start:stop] for start, stop in slices)
