"""JSON arrays and NDJSON: scalars by their JSON type, nested values into JSON columns."""

import json
from decimal import Decimal

import pytest

from services.ingest.domain.options import FileFormat, ImportOptions
from services.ingest.errors import MissingColumnError, UnknownColumnError
from services.ingest.read.errors import DamagedFileError
from tests.ingest.load.loading import Column, Loader, columns

BOTH = pytest.mark.parametrize("kind", ["array", "lines"])


def spelled(kind: str, *elements: str) -> str:
    return f"[{', '.join(elements)}]" if kind == "array" else "\n".join(elements) + "\n"


@BOTH
async def test_scalars_and_nested_values_land_as_they_are_written(load: Loader, kind: str) -> None:
    await load.make_table(
        "t",
        columns(t="TEXT", n="NUMERIC", i="INTEGER", b="BOOLEAN", j="JSON", d="DATE"),
    )
    data = spelled(
        kind,
        r'{"t": "é\n\u00e9", "n": 1.10, "i": 5, "b": true, '
        '"j": {"a": [1.50, null, "x"]}, "d": "2024-02-29"}',
        '{"t": 1.10, "n": "2.50", "i": "6", "b": 0, "j": "plain", "d": null}',
        '{"t": false, "n": null, "i": "", "j": 12345678901234567890}',
    )
    outcome = await load.load("t", data)
    assert outcome.format is not None
    assert outcome.format.name is (FileFormat.JSON if kind == "array" else FileFormat.NDJSON)
    rows = await load.rows("t", "t, n, i, b, j::text, d::text")
    assert rows == [
        ("é\né", Decimal("1.10"), 5, True, '{"a": [1.50, null, "x"]}', "2024-02-29"),
        ("1.10", Decimal("2.50"), 6, False, '"plain"', None),
        ("false", None, None, None, "12345678901234567890", None),
    ]


@BOTH
async def test_bad_elements_are_refused_by_their_place(load: Loader, kind: str) -> None:
    await load.make_table("t", columns(a="INTEGER NOT NULL", b="TEXT", c="JSON"))
    data = spelled(
        kind, '{"a": 1}', '{"a": 1e2}', '{"b": "x"}', "7", '{"a": 5, "b": [1]}',
        r'{"a": 6, "b": "x\u0000"}', r'{"a": 7, "c": "x\u0000"}', r'{"a": 8, "b": "\ud800"}',
        '{"a": 9, "b": {"n": 1}}', '{"a": true}', '{"a": 10}',
    )  # fmt: skip
    outcome = await load.load("t", data)
    assert load.rejects.reasons == [
        (2, "a", "type_mismatch"),
        (3, "a", "not_null"),
        (4, None, "type_mismatch"),
        (5, "b", "type_mismatch"),
        (6, "b", "nul_byte"),
        (7, "c", "type_mismatch"),
        (8, "b", "bad_encoding"),
        (9, "b", "type_mismatch"),
        (10, "a", "type_mismatch"),
    ]
    assert [row[0] for row in await load.rows("t", "a")] == [1, 10]
    assert (outcome.rows.read, outcome.rows.rejected) == (11, 9)


async def test_broken_lines_are_refused_one_by_one(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER"))
    data = b'{"a": 1}\n\n{"a": \n{"a": 2} {"a": 3}\n{"a": NaN}\n{"a": 4}'
    await load.load("t", data)
    # A line holds two values, so they are counted, and not the lines.
    assert [row[0] for row in await load.rows("t", "a")] == [1, 2, 3, 4]
    assert [number for number, *_ in load.rejects.reasons] == [2, 5]
    assert load.rejects.rows[0]["_raw"] == '{"a":'


async def test_a_broken_array_is_refused_as_a_whole(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER"))
    for data in ('[{"a": 1}, {"a": ', '[{"a": 1} {"a": 2}]', '[{"a": 1}] x', '[{"a": 1}, ]'):
        with pytest.raises(DamagedFileError):
            await load.load("t", data)
    assert await load.rows("t") == []


async def test_an_array_in_small_pieces(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER", b="TEXT"))
    elements = [{"a": n, "b": f'ü, ] }} " {n}' * (n % 50)} for n in range(3_000)]
    load.chunk_bytes = 7
    outcome = await load.load("t", json.dumps(elements, ensure_ascii=False, indent=1))
    assert outcome.rows.loaded == 3_000
    assert (await load.rows("t", "a, b"))[2_999] == (2_999, elements[2_999]["b"])


async def test_an_empty_array_is_a_success(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER"))
    assert (await load.load("t", " [ ] ")).rows.read == 0


async def test_columns_that_the_head_leaves_out(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER", b="TEXT"), Column("d", "TEXT", default="'D'"))
    filler = ", ".join(f'{{"a": {n}, "_f": "{"x" * 1000}"}}' for n in range(6_000))
    options = ImportOptions(mapping={"_f": None})
    data = f'[{filler}, {{"a": -1, "b": "late"}}, {{"a": -2, "d": "given"}}, {{"zz": 1}}]'
    outcome = await load.load("t", data, options=options)
    assert await load.rows("t", "a, b, d") == [
        *((n, None, None) for n in range(6_000)), (-1, "late", None), (-2, None, "given"),
    ]  # fmt: skip
    assert load.rejects.reasons == [(6_003, "zz", "too_many_fields")]
    assert outcome.rows.read == 6_003
    await load.load("t", '[{"a": 0}]')
    assert (await load.rows("t", "a, d"))[-1] == (0, "D")


async def test_the_keys_of_the_head_are_a_header(load: Loader) -> None:
    await load.make_table("t", columns(a="INTEGER NOT NULL", b="TEXT"))
    with pytest.raises(UnknownColumnError):
        await load.load("t", '[{"a": 1, "zz": 2}]')
    with pytest.raises(MissingColumnError):
        await load.load("t", '{"b": "x"}\n')
    mapping = {"zz": "b", "y": None}
    await load.load("t", '[{"a": 1, "zz": 2, "y": {}}]', options=ImportOptions(mapping=mapping))
    assert await load.rows("t", "a, b") == [(1, "2")]
