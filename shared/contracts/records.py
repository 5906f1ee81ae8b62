"""Types of columns, and the contract by which an import writes into a user's table."""

from enum import StrEnum
from typing import NewType

from pydantic import BaseModel, ConfigDict

from shared.contracts.auth import Caller
from shared.contracts.base import AnswerModel, RequestModel

TableName = NewType("TableName", str)
ColumnName = NewType("ColumnName", str)
TableOid = NewType("TableOid", int)

DATA_SCHEMA = "data"
"""The PostgreSQL schema of the users' tables."""
IDENTIFIER_LIMIT_BYTES = 63
"""PostgreSQL's NAMEDATALEN - 1: it counts bytes, and cuts silently."""
ID_COLUMN = "id"
IMPORT_COLUMN = "_import"
"""The import a row came from; null for rows made by hand; hidden from answers unless asked for."""


class TypeName(StrEnum):
    """Column types, spelled as answers spell them; lengths and precisions stand apart."""

    TEXT = "TEXT"
    VARCHAR = "VARCHAR"
    CHAR = "CHAR"
    SMALLINT = "SMALLINT"
    INTEGER = "INTEGER"
    BIGINT = "BIGINT"
    NUMERIC = "NUMERIC"
    REAL = "REAL"
    DOUBLE = "DOUBLE PRECISION"
    BOOLEAN = "BOOLEAN"
    DATE = "DATE"
    TIME = "TIME"
    TIMESTAMP = "TIMESTAMP"
    TIMESTAMPTZ = "TIMESTAMPTZ"
    INTERVAL = "INTERVAL"
    UUID = "UUID"
    JSON = "JSON"
    BYTEA = "BYTEA"


class ColumnType(BaseModel):
    """A column's type: `length` for VARCHAR and CHAR, `precision` and `scale` for NUMERIC."""

    model_config = ConfigDict(frozen=True)

    name: TypeName
    length: int | None = None
    precision: int | None = None
    scale: int | None = None

    def spelled(self) -> str:
        """The type as answers spell it, for example `NUMERIC(10,2)`; also valid PostgreSQL.

        JSON is `jsonb` in PostgreSQL; `services.records.types` knows.
        """
        if self.length is not None:
            return f"{self.name.value}({self.length})"
        if self.precision is not None:
            return f"{self.name.value}({self.precision},{self.scale or 0})"
        return self.name.value


class ColumnContract(AnswerModel):
    """One column of a user's table, system columns left out."""

    name: ColumnName
    attnum: int
    type: ColumnType
    nullable: bool
    has_default: bool


class UniqueKey(AnswerModel):
    """A unique constraint or the primary key (`id`)."""

    constraint: str
    columns: tuple[ColumnName, ...]


class TableContract(AnswerModel):
    """What an import must know of its table; compared with `pg_attribute` under a lock."""

    table: TableName
    oid: TableOid
    version: int
    columns: tuple[ColumnContract, ...]
    unique_keys: tuple[UniqueKey, ...]


class ContractRequest(RequestModel):
    """`POST /internal/contracts`: the contract of a table for a caller who wants to write.

    404 when the caller may not see the table, 403 when the caller may only read it.
    """

    table: str
    caller: Caller


class NewColumn(RequestModel):
    """A column of a table to be made by an import."""

    name: str
    type: ColumnType
    description: str | None = None


class TableForImport(RequestModel):
    """`POST /internal/tables`: make a table for an import with `create_table`."""

    table: str
    columns: tuple[NewColumn, ...]
    caller: Caller
    description: str | None = None


class DescribeRequest(RequestModel):
    """`POST /internal/tables/describe`: what a caller may see of a table; 404 when nothing."""

    table: str
    caller: Caller


class VisibleColumn(AnswerModel):
    """A column as people see it."""

    name: ColumnName
    type: ColumnType
    nullable: bool
    description: str | None = None


class VisibleTable(AnswerModel):
    """A table that the caller may see: columns in their order, system columns left out.

    `estimated_rows` is PostgreSQL's estimate; null before it has made one.
    """

    table: TableName
    columns: tuple[VisibleColumn, ...]
    estimated_rows: int | None = None
