"""Parquet and Arrow files, read in the process that reads them."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.ingest.read.confined import confined

MIB = 1 << 20


async def read(
    path: Path, wanted: dict[str, str] | None = None, *, limit_bytes: int = 1 << 30
) -> tuple[dict[str, Any], list[tuple[dict[str, Any], pa.Table]]]:
    """The first message about a file, and its batches."""
    options = {
        "limit_bytes": limit_bytes,
        "memory_bytes": 300 * MIB,
        "cpu_s": 30,
    }
    async with confined("services.ingest.read.columnar", (str(path), json.dumps(options))) as child:
        first = await anext(child)
        if wanted is None:
            return json.loads(first), []
        await child.ask({"wanted": wanted})
        others = [message async for message in child]
    batches = [
        (json.loads(head), pa.ipc.open_stream(batch).read_all())
        for head, batch in zip(others[::2], others[1::2], strict=True)
    ]
    return json.loads(first), batches


def parquet(folder: Path, **columns: pa.Array) -> Path:
    """A file of these columns."""
    path = folder / "rows.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def arrow(folder: Path, **columns: pa.Array) -> Path:
    """The same as an Arrow stream, which keeps types that Parquet has none of."""
    path = folder / "rows.arrow"
    table = pa.table(columns)
    with pa.ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table)
    return path


async def values(path: Path, wanted: str) -> list[Any]:
    """The values of the column `c` as they are sent for a column of the table's type."""
    _, batches = await read(path, {"c": wanted})
    return [value for _, batch in batches for value in batch["c"].to_pylist()]


@pytest.mark.parametrize(
    ("array", "described"),
    [
        (pa.array([1], pa.int8()), ("SMALLINT", None, None)),
        (pa.array([1], pa.uint16()), ("INTEGER", None, None)),
        (pa.array([1], pa.uint32()), ("BIGINT", None, None)),
        (pa.array([1], pa.uint64()), ("NUMERIC", 20, 0)),
        (pa.array([1.5], pa.float32()), ("REAL", None, None)),
        (pa.array([Decimal("1.10")], pa.decimal128(10, 2)), ("NUMERIC", 10, 2)),
        (pa.array([0], pa.date64()), ("DATE", None, None)),
        (pa.array([0], pa.timestamp("ns")), ("TIMESTAMP", None, None)),
        (pa.array([0], pa.timestamp("ms", "Europe/Paris")), ("TIMESTAMPTZ", None, None)),
        (pa.array([0], pa.time32("s")), ("TIME", None, None)),
        (pa.array([0], pa.duration("s")), ("INTERVAL", None, None)),
        (pa.array(["a"]).dictionary_encode(), ("TEXT", None, None)),
        (pa.array(["a"], pa.string_view()), ("TEXT", None, None)),
        (pa.array([None]), ("TEXT", None, None)),
        (pa.array([b"a"], pa.large_binary()), ("BYTEA", None, None)),
        (pa.array([[1]]), ("JSON", None, None)),
        (pa.array([{"a": 1}]), ("JSON", None, None)),
    ],
)
async def test_a_column_names_the_type_of_a_new_table(
    array: pa.Array, described: tuple[str, int | None, int | None], tmp_path: Path
) -> None:
    first, batches = await read(arrow(tmp_path, c=array))
    [column] = first["columns"]
    assert (column["type"], column["precision"], column["scale"]) == described
    assert not batches


@pytest.mark.parametrize(
    ("array", "spelled"),
    [
        (pa.array([[0.1, float("nan"), None], None], pa.list_(pa.float32())), '[0.1, "NaN", null]'),
        (pa.array([[0.5]], pa.list_(pa.float16())), "[0.5]"),
        (pa.array([[1.5, 2.5]], pa.list_(pa.float64(), 2)), "[1.5, 2.5]"),
        (pa.array([[1_500]], pa.list_(pa.timestamp("ns"))), '["1970-01-01T00:00:00.000001500"]'),
        (pa.array([[0]], pa.list_(pa.timestamp("ms", "UTC"))), '["1970-01-01T00:00:00Z"]'),
        (
            pa.array([{"a": {"b": [1]}, "c": None}], pa.struct([
                ("a", pa.struct([("b", pa.list_(pa.uint64()))])), ("c", pa.string()),
            ])),
            '{"a": {"b": [1]}, "c": null}',
        ),
        (pa.array([[("k", [True])]], pa.map_(pa.string(), pa.list_(pa.bool_()))),
         '[["k", [true]]]'),
        (pa.array([[{"d": Decimal("1.10")}]], pa.list_(pa.struct([("d", pa.decimal128(5, 2))]))),
         '[{"d": "1.10"}]'),
        (pa.array([{}], pa.struct([])), "{}"),
    ],
)  # fmt: skip
async def test_nested_values_keep_their_digits(
    array: pa.Array, spelled: str, tmp_path: Path
) -> None:
    before = pa.nulls(1, array.type)
    whole = pa.concat_arrays([before, array])
    sent = await values(arrow(tmp_path, c=whole), "JSON")
    assert sent[:2] == [None, spelled]
    sliced = whole.slice(1)
    assert (await values(arrow(tmp_path, c=sliced), "JSON"))[0] == spelled


@pytest.mark.parametrize(
    ("array", "wanted", "sent"),
    [
        (pa.array([1, None], pa.int64()), "SMALLINT", [1, None]),
        (pa.array([Decimal(1200)], pa.decimal128(5, -2)), "NUMERIC", ["1200"]),
        (pa.array([0], pa.timestamp("s", "UTC")), "DATE", ["1970-01-01 00:00:00Z"]),
        (
            pa.array([0], pa.timestamp("s", "Asia/Tokyo")),
            "DATE",
            ["1970-01-01 00:00:00Z[Asia/Tokyo]"],
        ),
        (pa.array([70_000], pa.int64()), "SMALLINT", ["70000"]),
        (pa.array([2**63], pa.uint64()), "BIGINT", ["9223372036854775808"]),
        (pa.array([7], pa.int64()), "TEXT", ["7"]),
        (pa.array([0.5, float("nan")], pa.float32()), "DOUBLE PRECISION", [0.5, None]),
        (pa.array([0.1, float("inf")], pa.float64()), "TEXT", ["0.1", "Infinity"]),
        (pa.array([0.1], pa.float64()), "REAL", ["0.1"]),
        (
            pa.array([1_700_000_000_123_456_000], pa.timestamp("ns")),
            "TIMESTAMP",
            [datetime(2023, 11, 14, 22, 13, 20, 123456)],  # noqa: DTZ001
        ),
        (
            pa.array([1_700_000_000_123_456_789], pa.timestamp("ns")),
            "TIMESTAMP",
            ["2023-11-14 22:13:20.123456789"],
        ),
        (
            pa.array([0], pa.timestamp("us", "Europe/Paris")),
            "TIMESTAMPTZ",
            [datetime(1970, 1, 1, tzinfo=UTC)],
        ),
        (pa.array([0], pa.timestamp("s", "Europe/Paris")), "TEXT", ["1970-01-01 00:00:00Z"]),
        (pa.array([0], pa.timestamp("s", "Europe/Paris")), "TIMESTAMP", ["1970-01-01 00:00:00Z"]),
        (pa.array([3 * 10**17], pa.timestamp("us")), "TIMESTAMP", ["11476-08-15 05:20:00.000000"]),
        (pa.array([4_000_000], pa.date32()), "DATE", ["12921-08-18"]),
        (pa.array([86_400_000], pa.date64()), "DATE", [date(1970, 1, 2)]),
        (pa.array([1_500], pa.duration("ms")), "INTERVAL", ["PT1.500S"]),
        (pa.array([b"\0\xff"]), "BYTEA", [b"\0\xff"]),
        (pa.array([b"\0\xff"]), "TEXT", ["\\x00ff"]),
        (pa.array([[1.5, None]]), "JSON", ["[1.5, null]"]),
        (pa.array([{"a": [Decimal("1.10")]}]), "JSON", ['{"a": ["1.10"]}']),
    ],
)
async def test_a_column_is_sent_without_loss(
    array: pa.Array, wanted: str, sent: list[Any], tmp_path: Path
) -> None:
    received = await values(arrow(tmp_path, c=array), wanted)
    assert [None if value != value else value for value in received] == sent  # noqa: PLR0124 - NaN


async def test_text_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    offsets = pa.py_buffer(b"\0\0\0\0\2\0\0\0\4\0\0\0")
    broken = pa.StringArray.from_buffers(2, offsets, pa.py_buffer(b"ok\xff\xfe"))
    _, [(head, batch)] = await read(arrow(tmp_path, c=broken), {"c": "TEXT"})
    assert head["undecodable"] == {"c": [1]}
    assert batch["c"].to_pylist() == ["ok", "\\xff\\xfe"]


async def test_only_the_columns_that_are_wanted_are_read(tmp_path: Path) -> None:
    path = parquet(tmp_path, a=pa.array([1]), b=pa.array(["x"]), c=pa.array([2]))
    first, [(_, batch)] = await read(path, {"c": "BIGINT", "b": "TEXT"})
    assert first["rows"] == 1
    assert batch.to_pydict() == {"c": [2], "b": ["x"]}


async def test_one_large_row_group_comes_in_batches(tmp_path: Path) -> None:
    path = parquet(tmp_path, c=pa.array(range(120_000)))
    _, batches = await read(path, {"c": "BIGINT"})
    assert [head["rows"] for head, _ in batches] == [*[25_000] * 4, 20_000]


async def test_a_decimal_of_too_many_digits_names_its_column(tmp_path: Path) -> None:
    path = arrow(tmp_path, amount=pa.array([Decimal(10) ** 40], pa.decimal256(50, 2)))
    first, _ = await read(path)
    assert first["code"] == "unsupported_column"
    assert "'amount'" in first["message"]


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
async def test_a_file_that_breaks_off_is_named(kept: float, tmp_path: Path) -> None:
    path = parquet(tmp_path, c=pa.array([str(number) for number in range(10_000)]))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    first, _ = await read(path, {"c": "TEXT"})
    assert first["code"] == "damaged_file"


async def test_a_footer_that_claims_too_much_is_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path, c=pa.array([str(number) for number in range(100_000)]))
    first, _ = await read(path, {"c": "TEXT"}, limit_bytes=100_000)
    assert first["code"] == "decompression_bomb"
