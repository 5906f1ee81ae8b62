"""Records, imports and PostgreSQL itself: one type table, whatever the text."""

import struct
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import given

from services.ingest.judge.exact import CellError, CellReader
from services.records.types.values import Fault, Respelled, check_for, parse_json
from shared.errors import InvalidInputError
from shared.values import faults
from shared.values.grammar import read
from shared.values.names import formatted, of_api
from shared.values.respelling import respelling_of
from shared.values.types import ColumnType
from tests.support.databases import Database
from tests.support.postgresql_text import in_postgresql
from tests.support.spellings import SPELLINGS, TYPES, mutations


def code_in_imports(kind: ColumnType, text: str) -> str | None:
    try:
        CellReader(kind).read(text)
    except CellError as error:
        return error.code.value
    return None


def code_in_records(kind: ColumnType, text: str) -> str | None:
    result = check_for(kind)(text)
    return result.code if isinstance(result, Fault) else None


def agree(name: str, text: str) -> None:
    kind = of_api(name)
    if name != "JSON":
        assert code_in_records(kind, text) == code_in_imports(kind, text)
        return
    # A text in a file is JSON to be read; to records it has been read already.
    try:
        value = parse_json(text.encode(errors="surrogatepass"))
    except InvalidInputError:
        assert code_in_imports(kind, text) == "type_mismatch"
    else:
        refused = value is not None and check_for(kind)(value) is not None
        assert refused == (code_in_imports(kind, text) is not None)


@pytest.mark.parametrize("name", TYPES)
def test_records_and_imports_agree_on_every_spelling(name: str) -> None:
    for text in SPELLINGS:
        agree(name, text)


@pytest.mark.parametrize("name", TYPES)
@given(text=mutations())
def test_records_and_imports_agree_on_any_text(name: str, text: str) -> None:
    agree(name, text)


@pytest_asyncio.fixture
async def postgresql(
    module_database: Database,
) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(module_database.url())
    await connection.execute("SET timezone TO 'UTC'; SET intervalstyle TO iso_8601")
    yield connection
    await connection.close()


@pytest.mark.parametrize("name", TYPES)
async def test_postgresql_reads_what_records_hands_on_as_the_same_value(
    postgresql: "asyncpg.Connection[asyncpg.Record]", name: str
) -> None:
    kind = of_api(name)
    respell = respelling_of(kind) or str
    for text in [*SPELLINGS, *RESPELLED.get(name, ())]:
        value = read(kind, text)
        if isinstance(value, faults.Fault):
            continue
        sql = f"SELECT ($1::text)::{formatted(kind)}::text"
        landed = await postgresql.fetchval(sql, respell(text))
        expected = in_postgresql(kind, value)
        if name == "JSON":
            expected = await postgresql.fetchval("SELECT ($1::text)::jsonb::text", expected)
        if name.startswith("CHAR"):
            landed = landed.rstrip(" ")
            expected = expected.rstrip(" ")
        if name in ("REAL", "DOUBLE PRECISION"):
            width = "f" if name == "REAL" else "d"
            assert struct.pack(width, float(landed)) == struct.pack(width, value), text
        else:
            assert landed == expected, text


RESPELLED = {
    "INTEGER": ["-3.00", "+0004.0"],
    "BIGINT": ["9223372036854775807.0"],
    "DATE": ["2024-01-05T00:00:00.000+00:00 UTC", "2024-01-05 00:00 Z"],
    "TIMESTAMPTZ": ["2024-01-05 10:11:12.5 +0000 UTC", "2024-01-05 10:11 -00:00 UTC"],
    "INTERVAL": ["-P1Y2M3W4DT5H6M7.8S", "+PT1H", "-P-1D", "-PT0.000001S"],
}


def test_a_respelling_stays_as_it_is() -> None:
    for name, texts in RESPELLED.items():
        check = check_for(of_api(name))
        for text in texts:
            respelled = check(text)
            if respelled is not None:
                assert isinstance(respelled, Respelled)
                assert check(respelled) is None
