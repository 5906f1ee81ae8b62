"""The one table of PostgreSQL's type names, read both ways and asked of PostgreSQL itself."""

import asyncpg
import pytest

from services.ingest.read.postgresql.types import column_type
from services.records.types.words import from_postgresql
from shared.values.names import ddl_name, formatted, of_api, of_formatted, unlimited_name
from shared.values.types import ColumnType, TypeName
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


def everywhere(kind: ColumnType) -> tuple[str, str]:
    return (ddl_name(kind), unlimited_name(kind))


@pytest.mark.parametrize("kind", KINDS, ids=ColumnType.spelled)
def test_the_api_reads_every_type_as_it_spells_it(kind: ColumnType) -> None:
    spelled = kind.spelled()
    assert of_api(spelled) == of_api(f"  {spelled.lower()} ") == kind


@pytest.mark.parametrize(
    ("words", "spelled"),
    [
        ("int", "INTEGER"),
        ("Float", "DOUBLE PRECISION"),
        ("double  precision", "DOUBLE PRECISION"),
        ("decimal( 10 , 2 )", "NUMERIC(10,2)"),
        ("DECIMAL", "NUMERIC"),
        ("numeric(4)", "NUMERIC(4,0)"),
        ("jsonb", "JSON"),
    ],
)
def test_other_words_of_the_api(words: str, spelled: str) -> None:
    assert of_api(words).spelled() == spelled


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("VARCHAR", "is no type"),
        ("VARCHAR(0)", "between 1 and 10485760"),
        ("CHAR(10485761)", "between 1 and 10485760"),
        ("NUMERIC(39)", "between 1 and 38"),
        ("NUMERIC(2,3)", "s at most p"),
        ("INTEGER(3)", "is no type"),
        ("VARCHAR(1,2)", "is no type"),
        ("TEXT; DROP TABLE t", "is no type"),
        ("", "is no type"),
    ],
)
def test_words_that_name_no_type(words: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        of_api(words)


def test_types_in_ddl_and_without_limits() -> None:
    assert everywhere(ColumnType(name=TypeName.JSON)) == ("jsonb", "jsonb")
    assert everywhere(ColumnType(name=TypeName.VARCHAR, length=3)) == ("VARCHAR(3)", "text")
    assert everywhere(ColumnType(name=TypeName.CHAR, length=3)) == ("CHAR(3)", "bpchar")
    assert everywhere(ColumnType(name=TypeName.NUMERIC, precision=5, scale=2)) == (
        "NUMERIC(5,2)",
        "NUMERIC",
    )
