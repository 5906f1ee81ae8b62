"""Contracts that no table has: the columns of a catalog file, and a table that is not made yet."""

from collections.abc import Sequence

from shared.contracts.catalog import NAME_LIMIT
from shared.contracts.records import (
    ID_COLUMN,
    ColumnContract,
    ColumnName,
    NewColumn,
    TableContract,
    TableName,
    TableOid,
)
from shared.values.types import ColumnType, TypeName

CATALOG_COLUMNS = ("etl_name", "schema_name", "table_name")

CATALOG_CONTRACT = TableContract(
    table=TableName("the catalog"),
    oid=TableOid(0),
    version=1,
    columns=tuple(
        ColumnContract(
            name=ColumnName(name),
            attnum=at,
            type=ColumnType(name=TypeName.VARCHAR, length=NAME_LIMIT),
            nullable=False,
            has_default=False,
        )
        for at, name in enumerate(CATALOG_COLUMNS, 1)
    ),
    unique_keys=(),
)
"""The header and the cells that a catalog file must have, in the words of a table's contract."""


def known_names(contract: TableContract | None) -> frozenset[str]:
    """The names by which a table's columns are known; none for a table that is not made yet."""
    if contract is None:
        return frozenset()
    columns = contract.columns
    sources = (column.source for column in columns if column.source is not None)
    return frozenset({ID_COLUMN, *(str(column.name) for column in columns), *sources})


def not_made(columns: Sequence[NewColumn]) -> TableContract:
    """The contract that a table with these columns would have."""
    return TableContract(
        table=TableName(""),
        oid=TableOid(0),
        version=0,
        columns=tuple(
            ColumnContract(
                name=ColumnName(column.name),
                attnum=at,
                type=column.type,
                nullable=True,
                has_default=False,
                source=column.source,
                null_values=column.null_values,
            )
            for at, column in enumerate(columns, 1)
        ),
        unique_keys=(),
    )
