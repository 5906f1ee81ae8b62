"""Short texts are read without polars, and each as it is read as a part of a long one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ingest.read.reading import read

PARTS = 1_000
"""The size of a part, below that of a text that is short."""
ENOUGH = 3 * 4_096

cells = st.text(st.sampled_from("a0é \t,;|-=~😀\ufeff\u2028"), max_size=6)
whole_rows = st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=8)
any_rows = st.lists(st.lists(cells, min_size=1, max_size=4), min_size=1, max_size=8)


async def same_in_parts(table: bytes, header: bytes = b"name,label,code\n") -> None:
    data = header + table * (ENOUGH // len(table) + 1)
    whole = await read(data, delimiter=",", header_line="1", encoding="utf-8")
    parts = await read(
        data, block=PARTS, chunk=PARTS, delimiter=",", header_line="1", encoding="utf-8"
    )
    assert parts.rows == whole.rows
    assert parts.refused == whole.refused
    assert parts.raw == whole.raw


@given(rows=whole_rows | any_rows, end=st.sampled_from(["\n", "\r\n"]))
async def test_rows_of_any_width_and_end(rows: list[list[str]], end: str) -> None:
    await same_in_parts("".join(",".join(row) + end for row in rows).encode())


@pytest.mark.parametrize(
    "table",
    [
        b"a,b,c\n",
        b",,\n",
        b"a,b,\n,b,c\n",
        b"a,b\n",
        b"a,b,c,d\n",
        b"\n\na,b,c\n",
        b" , ,\t\n",
        b'a,"b\nb",c\n"",b,c\n',
        b"a,b\rb,c\n",
        b"a,b,c\r\n,,\r\n",
        b"a,\xff,c\nd,e,f\n",
        b"\xef\xbb\xbfa,b,c\n",
        b"a fairly long label,\0,c\n",
        b"name,label,code\n1,2,3\n",
    ],
)
async def test_rows_of_each_kind(table: bytes) -> None:
    await same_in_parts(table)


@pytest.mark.parametrize("table", [b"a\n", b"a\n\nb\n", b" \n", b"a\r\n\r\n"])
async def test_one_column(table: bytes) -> None:
    await same_in_parts(table, header=b"name\n")
