"""The one table of PostgreSQL's type names, read both ways and asked of PostgreSQL itself."""

import asyncpg
import pytest

from services.ingest.read.postgresql.types import column_type
from services.records.types.words import from_postgresql
from shared.contracts.postgresql_types import formatted, of_formatted
from shared.contracts.records import ColumnType, TypeName
from tests.support.databases import Database

KINDS = [
    *(ColumnType(name=name) for name in TypeName if name not in (TypeName.VARCHAR, TypeName.CHAR)),
    ColumnType(name=TypeName.VARCHAR, length=7),
    ColumnType(name=TypeName.CHAR, length=1),
    ColumnType(name=TypeName.NUMERIC, precision=10, scale=2),
    ColumnType(name=TypeName.NUMERIC, precision=38, scale=0),
]


async def test_postgresql_spells_every_type_as_the_table_does(module_database: Database) -> None:
    connection = await asyncpg.connect(module_database.url())
    try:
        for kind in KINDS:
            words = formatted(kind)
            await connection.execute(f"CREATE TEMP TABLE t (a {words})")
            told = await connection.fetchval(
                "SELECT format_type(atttypid, atttypmod) FROM pg_attribute"
                " WHERE attrelid = 't'::regclass AND attname = 'a'"
            )
            await connection.execute("DROP TABLE t")
            assert told == words
            assert of_formatted(told) == column_type(told) == from_postgresql(told) == kind
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("json", ColumnType(name=TypeName.JSON)),
        ("timestamp(3) without time zone", ColumnType(name=TypeName.TIMESTAMP)),
        ("timestamp(0) with time zone", ColumnType(name=TypeName.TIMESTAMPTZ)),
        ("time(3) without time zone", ColumnType(name=TypeName.TIME)),
        ("character varying", ColumnType(name=TypeName.VARCHAR)),
        ("numeric(1000,0)", ColumnType(name=TypeName.NUMERIC, precision=1000, scale=0)),
        ("time with time zone", None),
        ("integer[]", None),
        ("interval day to second(3)", None),
        ('"Mood"', None),
        ("money", None),
        ("", None),
    ],
)
def test_what_we_do_not_make_ourselves(words: str, kind: ColumnType | None) -> None:
    assert of_formatted(words) == kind


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("int4", ColumnType(name=TypeName.INTEGER)),
        ("timestamptz", ColumnType(name=TypeName.TIMESTAMPTZ)),
        ("varchar", ColumnType(name=TypeName.TEXT)),
        ("bpchar", ColumnType(name=TypeName.TEXT)),
        ("numeric(39,0)", ColumnType(name=TypeName.NUMERIC)),
        ("numeric(5,-2)", ColumnType(name=TypeName.NUMERIC)),
        ("numeric(3,5)", ColumnType(name=TypeName.NUMERIC)),
        ("integer[]", ColumnType(name=TypeName.TEXT)),
    ],
)
def test_what_an_import_makes_of_a_sources_column(words: str, kind: ColumnType) -> None:
    assert column_type(words) == kind
