"""The quick way of reading triples takes exactly what the contract takes."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.catalog.errors import LineRefusedError
from services.catalog.pipeline.lines import Block
from services.catalog.pipeline.triples import read_triples
from shared.contracts.catalog import NAME_LIMIT, CatalogTriple

names = st.text(max_size=12) | st.sampled_from(
    ["", " ", "\0", "a\0b", "\x1c", "\u2028", "\u3000", "x" * NAME_LIMIT, "x" * (NAME_LIMIT + 1)]
)


def line(etl: str | None, schema: str, table: str) -> bytes:
    names = {"etl_name": etl, "schema_name": schema, "table_name": table}
    return json.dumps(names, ensure_ascii=False, separators=(",", ":")).encode()


@given(st.none() | names, names, names)
@example(None, "s", "t")
@example("e", "\x1f", "t")
def test_a_line_is_read_if_and_only_if_it_fits_the_contract(
    etl: str | None, schema: str, table: str
) -> None:
    block = Block(first=1, content=line("e", "s", "t") + b"\n" + line(etl, schema, table))
    try:
        fitting = CatalogTriple(etl_name=etl, schema_name=schema, table_name=table)
    except ValidationError:
        with pytest.raises(LineRefusedError, match="line 2"):
            read_triples(block, etl="other")
        return

    rows = read_triples(block, etl="other").rows()
    assert rows == [("e", "s", "t"), (fitting.etl_name or "other", schema, table)]


def test_names_come_through_letter_by_letter() -> None:
    block = Block(first=1, content=line("a/b % é", "\u0065\u0301", " t "))

    assert read_triples(block, etl=None).rows() == [("a/b % é", "\u0065\u0301", " t ")]
