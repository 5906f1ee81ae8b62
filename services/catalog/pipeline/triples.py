"""Lines of a bulk merge as a frame of names, and a frame as what COPY takes."""

import polars as pl
from polars.exceptions import ComputeError
from pydantic import TypeAdapter

from services.catalog.pipeline.lines import Block, checked_lines, refused
from shared.contracts.catalog import INDEXED_BYTES, NAME_LIMIT, CatalogTriple

NAMES = ("etl_name", "schema_name", "table_name")
SCHEMA = dict.fromkeys(NAMES, pl.String)
triple_line = TypeAdapter(CatalogTriple)


def read_triples(block: Block, *, etl: str | None) -> pl.DataFrame:
    """The block's names, in the columns of `NAMES`; `etl` is the ETL of lines that name none.

    Raises LineRefusedError for the first line that does not fit.
    """
    names = _at_once(block)
    return _one_by_one(block, etl) if names is None else names


def as_csv(names: pl.DataFrame) -> bytes:
    """The names for COPY: no header, every name in quotes."""
    return names.write_csv(include_header=False, quote_style="always").encode()


def _at_once(block: Block) -> pl.DataFrame | None:
    """The names, if the block is written just as polars would write it and every name fits.

    So does ingest write, and reading it by columns takes a tenth of the time that the contract
    takes for each line. Polars reads more than the contract allows (numbers as text, unknown and
    repeated fields, half of a surrogate pair): none of that comes out of it as it went in.
    """
    content = block.content + b"\n"
    try:
        names = pl.read_ndjson(content, schema=SCHEMA)
    except ComputeError:
        return None
    if names.write_ndjson().encode() != content:
        return None
    table_bytes = pl.col("schema_name").str.len_bytes() + pl.col("table_name").str.len_bytes()
    fits = pl.all_horizontal(*(_fits(pl.col(name)) for name in NAMES), table_bytes <= INDEXED_BYTES)
    return names if names.select(fits.fill_null(value=False).all()).item() else None


def _fits(name: pl.Expr) -> pl.Expr:
    """As strict as the contract's names, or a little stricter: a control character is no letter."""
    return (
        name.str.len_chars().is_between(1, NAME_LIMIT)
        & ~name.str.contains("\0", literal=True)
        & name.str.contains(r"[^\s\x00-\x1f]")
    )


def _one_by_one(block: Block, etl: str | None) -> pl.DataFrame:
    rows = []
    for number, triple in checked_lines(block, triple_line):
        name = triple.etl_name or etl
        if name is None:
            message = "name an ETL here, or for all lines by `etl=` in the call"
            raise refused(number, "etl_name", "missing", message)
        rows.append((name, triple.schema_name, triple.table_name))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")
