"""Exports: every format, the same filters, constant memory, and a client that goes away."""

import csv
import gzip
import io
import json
import resource
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import polars as pl
import pytest
import pytest_asyncio

from services.records.domain import Column
from services.records.face.export_stream import wants_gzip
from services.records.files import arrow
from services.records.files.pieces import json_array
from shared.contracts.records import ColumnName
from shared.values.types import ColumnType, TypeName
from tests.records.conftest import Service, new_name
from tests.support.profile import only_in_full
from tests.support.waiting import until

ROWS: list[dict[str, Any]] = [
    {
        "t": 'comma, "quote"\nnew line',
        "n": "12345678901234567890.10",
        "m": "1.50",
        "b": 9223372036854775807,
        "o": True,
        "d": "2026-01-31",
        "tz": "2026-01-31T10:00:00.5+02:00",
        "ts": "2026-01-31T10:00:00",
        "f": "Infinity",
        "r": 0.1,
        "j": {"a": ["x\ny", None]},
        "x": "\\x00ff",
        "at": "10:00:00.25",
    },
    {"t": "", "f": "NaN", "o": False},
    {"t": "=1+1", "j": "-x"},
    {"t": None, "f": "-Infinity"},
]
COLUMNS = [
    "t TEXT",
    "n NUMERIC",
    "m NUMERIC(10,2)",
    "b BIGINT",
    "o BOOLEAN",
    "d DATE",
    "tz TIMESTAMPTZ",
    "ts TIMESTAMP",
    "f DOUBLE PRECISION",
    "r REAL",
    "j JSON",
    "x BYTEA",
    "at TIME",
]


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def table(service: Service) -> AsyncIterator[None]:
    await service.ann.table("Größe", *COLUMNS)
    await service.ann.insert("Größe", *ROWS)
    yield


async def export(service: Service, **params: Any) -> Any:
    answer = await service.ann("GET", "/api/tables/Größe/export", params=params)
    assert answer.status_code == 200, answer.text
    return answer


async def test_csv(service: Service) -> None:
    answer = await export(service)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    disposition = answer.headers["Content-Disposition"]
    assert disposition == "attachment; filename=\"Gr__e.csv\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe.csv"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert rows[0]["t"] == ROWS[0]["t"]
    assert rows[0]["n"] == ROWS[0]["n"]
    assert rows[0]["tz"] == "2026-01-31 08:00:00.5+00"
    assert answer.text.splitlines()[3].startswith('2,"",')
    assert rows[2]["t"] == "=1+1"


async def test_json_and_ndjson_are_the_records(service: Service) -> None:
    listed = (await service.ann("GET", "/api/tables/Größe/records")).json()["items"]
    lines = await export(service, format="ndjson")
    assert [json.loads(line) for line in lines.text.splitlines()] == listed
    assert '"m":1.50' in lines.text
    whole = await export(service, format="json")
    assert whole.json() == listed
    nothing = await export(service, format="json", id="0")
    assert nothing.json() == []
    assert (await export(service, format="ndjson", id="0")).text == ""


async def test_parquet_keeps_the_types(service: Service) -> None:
    answer = await export(service, format="parquet")
    frame = pl.read_parquet(io.BytesIO(answer.content))
    assert frame.height == 4
    assert dict(frame.schema) == (
        {
            "id": pl.Int64,
            "t": pl.String,
            "n": pl.String,
            "m": pl.Decimal(10, 2),
            "b": pl.Int64,
            "o": pl.Boolean,
            "d": pl.Date,
            "tz": pl.Datetime("us", "UTC"),
            "ts": pl.Datetime("us"),
            "f": pl.Float64,
            "r": pl.Float32,
            "j": pl.String,
            "x": pl.Binary,
            "at": pl.Time,
        }
    )
    first = frame.row(0, named=True)
    assert (first["t"], first["n"], str(first["m"])) == (ROWS[0]["t"], ROWS[0]["n"], "1.50")
    assert first["tz"].isoformat() == "2026-01-31T08:00:00.500000+00:00"
    assert (first["f"], first["x"], first["o"]) == (float("inf"), b"\x00\xff", True)
    assert frame["t"].to_list()[1:] == ["", "=1+1", None]
    assert frame["o"].to_list() == [True, False, None, None]
    assert frame["f"][3] == float("-inf")
    empty = pl.read_parquet(io.BytesIO((await export(service, format="parquet", id="0")).content))
    assert (empty.height, empty.schema) == (0, frame.schema)


async def test_arrow_holds_what_parquet_does(service: Service) -> None:
    answer = await export(service, format="arrow")
    assert answer.headers["Content-Type"] == "application/vnd.apache.arrow.file"
    frame = pl.read_ipc(io.BytesIO(answer.content))
    parquet = await export(service, format="parquet")
    assert frame.equals(pl.read_parquet(io.BytesIO(parquet.content)))
    empty = pl.read_ipc(io.BytesIO((await export(service, format="arrow", id="0")).content))
    assert (empty.height, empty.schema) == (0, frame.schema)


async def test_filters_fields_order_and_search(service: Service) -> None:
    answer = await export(service, fields="t", sort="-id", id__gte="2", q="1+")
    assert list(csv.reader(io.StringIO(answer.text))) == [["id", "t"], ["3", "=1+1"]]
    ordered = await export(service, fields="id", sort="-id")
    assert ordered.text.split() == ["id", "4", "3", "2", "1"]
    by_list = await export(service, fields="id", t__in='"=1+1",x', o__isnull="true")
    assert by_list.text.split() == ["id", "3"]


async def test_formulas_can_be_neutralised(service: Service) -> None:
    table = new_name()
    await service.ann.table(table, "t TEXT", "n INTEGER")
    dangerous = ["=cmd()", "+1", "-1", "@x", "\tx", "\rx", "\nx", "＝1", "＋1", "－1", "＠x"]
    await service.ann.insert(table, *({"t": text, "n": -5} for text in [*dangerous, "a=b", ""]))
    answer = await service.ann(
        "GET", f"/api/tables/{table}/export", params={"excel_safe": "true", "fields": "t,n"}
    )
    cells = [row[1:] for row in csv.reader(io.StringIO(answer.text, newline=""))][1:]
    assert cells == [[text, "-5"] for text in [*(f"'{each}" for each in dangerous), "a=b", ""]]


async def test_gzip_is_given_to_those_who_take_it(service: Service) -> None:
    headers = {"Accept-Encoding": "gzip"}
    async with service.http.stream(
        "GET", "/api/tables/Größe/export", headers={**service.ann.headers, **headers}
    ) as answer:
        raw = b"".join([piece async for piece in answer.aiter_raw()])
        assert answer.headers["Content-Encoding"] == "gzip"
    plain = await service.ann(
        "GET", "/api/tables/Größe/export", headers={"Accept-Encoding": "identity"}
    )
    assert "Content-Encoding" not in plain.headers
    assert gzip.decompress(raw) == plain.content


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("", False),
        ("gzip", True),
        ("br, gzip;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("identity", False),
    ],
)
def test_accept_encoding(header: str, wanted: bool) -> None:
    assert wants_gzip(header) is wanted


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"format": "pdf"}, "format"),
        ({"excel_safe": "perhaps"}, "excel_safe"),
        ({"excel_safe": "1"}, "excel_safe"),
        ({"nope": "1"}, "nope"),
        ({"limit": "1"}, "limit"),
        ({"id": "x"}, "id"),
    ],
)
async def test_a_wrong_parameter_is_named(
    service: Service, params: dict[str, str], field: str
) -> None:
    answer = await service.ann("GET", "/api/tables/Größe/export", params=params)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


async def filled(service: Service, rows: int) -> str:
    name = new_name("Big")
    await service.ann.table(name, "a TEXT", "b BIGINT", "c TIMESTAMPTZ")
    connection = await asyncpg.connect(service.database.url("records"))
    await connection.execute(
        f'INSERT INTO data."{name}" (a, b, c) SELECT repeat(md5(i::text), 3), i, now()'
        f" FROM generate_series(1, {rows}) i"
    )
    await connection.close()
    return name


async def backends(service: Service) -> int:
    connection = await asyncpg.connect(service.database.superuser_url)
    count: int = await connection.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'tabularium-records:export' AND state <> 'idle'"
    )
    await connection.close()
    return count


async def size_of(service: Service, query: str) -> int:
    """Read an export and keep nothing of it."""
    size = 0
    headers = {**service.ann.headers, "Accept-Encoding": "identity"}
    async with service.http.stream("GET", query, headers=headers) as answer:
        async for piece in answer.aiter_raw():
            size += len(piece)
    return size


@only_in_full
@pytest.mark.parametrize("form", ["csv", "ndjson", "json", "parquet", "arrow", "xlsx"])
async def test_memory_does_not_grow_with_the_rows(service: Service, form: str) -> None:
    name = await filled(service, 500_000)
    path = f"/api/tables/{name}/export?format={form}"
    few = await size_of(service, f"{path}&id__lte=100000")
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    many = await size_of(service, path)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib) * 1024
    assert many > 4.5 * few
    # The rows are 70 MB as CSV, and whoever held them would hold the answer too; allocators keep
    # some of what they had.
    assert grown < 90_000_000


@only_in_full
@pytest.mark.parametrize("query", ["", "?sort=-a", "?format=parquet", "?format=xlsx"])
async def test_a_client_that_goes_away_frees_its_connection(service: Service, query: str) -> None:
    name = await filled(service, 300_000)
    for _ in range(6):  # more than there are connections for exports
        async with service.http.stream(
            "GET", f"/api/tables/{name}/export{query}", headers=service.ann.headers
        ) as answer:
            assert answer.status_code == 200
            async for _ in answer.aiter_raw():
                break

    async def all_free() -> bool:
        return not await backends(service)

    await until("every connection is free", all_free)
    whole = await service.ann("GET", f"/api/tables/{name}/export?fields=id&id__lte=3")
    assert whole.text.split() == ["id", "1", "2", "3"]


async def test_an_export_is_one_snapshot_and_an_audit_event(service: Service) -> None:
    name = await filled(service, 50_000)
    async with service.http.stream(
        "GET",
        f"/api/tables/{name}/export?fields=id",
        headers={**service.ann.headers, "Accept-Encoding": "identity"},
    ) as answer:
        await service.ann("DELETE", f"/api/tables/{name}/records?id__gt=0")
        lines = (await answer.aread()).splitlines()
    assert len(lines) == 50_001
    connection = await asyncpg.connect(service.database.superuser_url)
    detail = await connection.fetchval(
        "SELECT detail::text FROM audit.events WHERE action = 'records.export' AND object = $1",
        name,
    )
    await connection.close()
    assert json.loads(detail) == {"format": "csv", "parameters": ["fields"]}


def test_a_row_ends_where_no_quote_is_open() -> None:
    assert arrow.last_row_end(b'1,"a\nb"\n2,"c\nd') == 8
    assert arrow.last_row_end(b'1,"a\nb') == 0
    assert arrow.last_row_end(b'1,""""\n') == 7
    assert arrow.last_row_end(b"") == 0


async def test_pieces_of_json_may_end_anywhere() -> None:
    lines = b'{"a":1}\n{"a":2}\n{"a":3}\n'

    async def pieces(size: int) -> AsyncIterator[bytes]:
        for start in range(0, len(lines), size):
            yield lines[start : start + size]

    for size in range(1, len(lines) + 1):
        whole = b"".join([piece async for piece in json_array(pieces(size))])
        assert json.loads(whole) == [{"a": 1}, {"a": 2}, {"a": 3}]


def test_blocks_without_rows_have_the_columns_types() -> None:
    column = Column(
        name=ColumnName("n"),
        attnum=1,
        type=ColumnType(name=TypeName.NUMERIC, precision=5, scale=1),
    )
    assert str(arrow.arrow_of(b"", [column]).schema.field("n").type) == "decimal128(5, 1)"
