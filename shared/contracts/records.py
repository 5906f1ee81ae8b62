"""The contract by which an import writes into a user's table."""

from typing import NewType

from pydantic import Field

from shared.contracts.auth import Caller
from shared.contracts.base import AnswerModel, RequestModel
from shared.values.rules import NO_RULES, ColumnRules
from shared.values.types import ColumnType

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
LARGEST_CHOSEN_ID = 2**62 - 1
"""Of ids that callers or files bring: the sequence, moved past them, has as many left again."""
VERSION_COLUMN = "_version"
"""1 for a new row, raised by every UPDATE of ours; hidden as `_import` is."""
SYSTEM_COLUMNS = (ID_COLUMN, IMPORT_COLUMN, VERSION_COLUMN)
"""What every user's table has beside the columns of its owner."""


class ColumnContract(AnswerModel):
    """One column of a user's table, system columns left out."""

    name: ColumnName
    attnum: int
    type: ColumnType
    nullable: bool
    has_default: bool
    rules: ColumnRules = NO_RULES
    source: str | None = None
    """Its name in the file that the table or column was made for, where that is another."""
    null_values: tuple[str, ...] = ()
    """Words that meant NULL there, beside numbers and dates."""


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
    source: str | None = None
    """Its name in the file, which the table remembers."""
    null_values: tuple[str, ...] = ()
    """Words that mean NULL in the file, which the table remembers too."""


class TableForImport(RequestModel):
    """`POST /internal/tables`: make a table for an import with `create_table`."""

    table: str
    columns: tuple[NewColumn, ...]
    caller: Caller
    description: str | None = None


class ColumnsForImport(RequestModel):
    """`POST /internal/tables/{table}/columns`: add nullable columns, but those that it has."""

    columns: tuple[NewColumn, ...]
    caller: Caller


class DescribeRequest(RequestModel):
    """`POST /internal/tables/describe`: what a caller may see of a table; 404 when nothing."""

    table: str
    caller: Caller


class VisibilityRequest(RequestModel):
    """`POST /internal/tables/visible`: which of some tables a caller may see."""

    tables: tuple[str, ...]
    caller: Caller


class VisibleTables(AnswerModel):
    """Those tables of a `VisibilityRequest` that the caller may see, by name."""

    tables: tuple[TableName, ...]


class ColumnsRequest(RequestModel):
    """`POST /internal/columns`: columns of tables that the caller may see, by their words.

    Each word stands in the name or the description of the column, in any case.
    """

    words: tuple[str, ...]
    caller: Caller
    limit: int = Field(default=100, ge=1, le=1000)


class ColumnFound(AnswerModel):
    """A column of a table that the caller may see."""

    table: TableName
    name: ColumnName
    description: str | None = None


class ColumnsFound(AnswerModel):
    """The answer to a `ColumnsRequest`: by table, then in the order of its columns."""

    items: tuple[ColumnFound, ...]


class VisibleColumn(AnswerModel):
    """A column as people see it."""

    name: ColumnName
    type: ColumnType
    nullable: bool
    description: str | None = None


class VisibleTable(AnswerModel):
    """A table that the caller may see: columns in their order, system columns left out.

    `estimated_rows` is PostgreSQL's estimate; null before it has made one. `level` (`viewer`,
    `editor`, `owner`) is what the caller may do with it.
    """

    table: TableName
    columns: tuple[VisibleColumn, ...]
    estimated_rows: int | None = None
    level: str = "viewer"
    """The caller's level: `viewer`, `editor` or `owner`, which admins have too."""
