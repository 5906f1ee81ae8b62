"""Tables, columns and grants, in the words of the API and of the contracts."""

from collections.abc import Mapping
from typing import Any

from services.records.domain import Column, Grant, Table
from services.records.schemas import (
    ColumnAnswer,
    ConstraintAnswer,
    GrantAnswer,
    TableAnswer,
)
from services.records.types.definitions import default_value
from services.records.types.rules import answer_of
from shared.contracts.auth import Caller
from shared.contracts.records import (
    ColumnContract,
    TableContract,
    UniqueKey,
    VisibleColumn,
    VisibleTable,
)


def table_answer(table: Table, caller: Caller) -> TableAnswer:
    """A table as the API shows it to a caller."""
    return TableAnswer(
        name=table.name,
        columns=[column_answer(column) for column in table.columns],
        constraints=[
            ConstraintAnswer(
                name=each.name,
                kind="primary_key" if each.is_primary else "unique",
                columns=each.columns,
            )
            for each in table.constraints
        ],
        unique=table.composite_keys,
        estimated_rows=table.estimated_rows,
        owner=table.owner_label,
        level=table.level_of(caller).word,
        version=table.version,
        description=table.description,
        created_at=table.created_at,
    )


def as_its_owner_sees_it(table: Table) -> Mapping[str, Any]:
    """The same as JSON, for whom it belongs to."""
    owner = Caller(sub=table.owner_sub)
    return table_answer(table, owner).model_dump(mode="json")


def column_answer(column: Column) -> ColumnAnswer:
    """A column as the API shows it."""
    return ColumnAnswer(
        name=column.name,
        type=column.type.spelled(),
        nullable=column.nullable,
        unique=column.unique,
        default=default_value(column),
        description=column.description,
        searchable=column.searchable,
        rules=answer_of(column.type, column.rules),
    )


def contract_of(table: Table) -> TableContract:
    """What an import must know of a table."""
    return TableContract(
        table=table.name,
        oid=table.oid,
        version=table.version,
        columns=tuple(
            ColumnContract(
                name=column.name,
                attnum=column.attnum,
                type=column.type,
                nullable=column.nullable,
                has_default=column.default is not None,
                rules=column.rules,
                source=None if column.memory is None else column.memory.source,
                null_values=() if column.memory is None else column.memory.null_values,
            )
            for column in table.columns
        ),
        unique_keys=tuple(
            UniqueKey(constraint=each.name, columns=each.columns) for each in table.constraints
        ),
    )


def visible_table(table: Table, caller: Caller) -> VisibleTable:
    """What a caller who may see a table may know of it."""
    return VisibleTable(
        table=table.name,
        columns=tuple(
            VisibleColumn(
                name=column.name,
                type=column.type,
                nullable=column.nullable,
                description=column.description,
            )
            for column in table.columns
        ),
        estimated_rows=table.estimated_rows,
        level=table.level_of(caller).word,
    )


def grant_answer(grant: Grant) -> GrantAnswer:
    """A grant as the API shows it."""
    return GrantAnswer(
        subject=grant.sub,
        identifier=grant.label,
        level=grant.level.word,
        granted_at=grant.granted_at,
    )
