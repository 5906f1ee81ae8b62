"""A table to be made for a source, out of inferred types or those that the source has."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.ingest.domain import ImportOptions, InferredColumn
from services.ingest.errors import TooManyColumnsError
from services.ingest.plan.names import (
    COLUMN_LIMIT,
    check_names,
    folded_names,
    is_left_out,
    refuse_collisions,
)
from services.ingest.plan.source_columns import Columns, SourceColumn
from shared.contracts.records import NewColumn
from shared.values.types import ColumnType

SYSTEM_COLUMNS = 2


@dataclass(frozen=True, slots=True)
class TypedColumn:
    """A source column, the type it gets, and why."""

    name: str
    type: ColumnType
    because: str


@dataclass(frozen=True, slots=True)
class NewTable:
    """The columns of the table, what is said of them, and the mapping onto them."""

    columns: tuple[NewColumn, ...]
    inferred: tuple[InferredColumn, ...]
    mapping: Mapping[str, str | None]

    @classmethod
    def of(
        cls, columns: tuple[TypedColumn, ...], source: Columns, options: ImportOptions
    ) -> "NewTable":
        """A table with these columns; raises as `new_names`."""
        targets = new_names(source, options)
        origin = "file" if source.ways.reports else "source"
        return cls(
            columns=tuple(
                NewColumn(
                    name=targets[column.name],
                    type=column.type,
                    description=None
                    if targets[column.name] == column.name
                    else f"'{column.name}' in the {origin}",
                )
                for column in columns
            ),
            inferred=tuple(
                InferredColumn(
                    column=targets[column.name],
                    type=column.type.spelled(),
                    because=column.because,
                )
                for column in columns
            ),
            mapping={**options.mapping, **targets},
        )


def new_names(source: Columns, options: ImportOptions) -> dict[str, str]:
    """Source name → name in a new table; a name that the caller mapped is not folded.

    Raises a HeaderError for names that are missing, doubled or too many, or that fold into one.
    """
    names = [column.name for column in source.columns]
    check_names(names)
    kept = [
        name
        for name in names
        if options.mapping.get(name, None if is_left_out(name, source.ways) else name) is not None
    ]
    if len(kept) + SYSTEM_COLUMNS > COLUMN_LIMIT:
        raise TooManyColumnsError(
            f"the file has {len(kept):,} columns; a table has room for"
            f" {COLUMN_LIMIT - SYSTEM_COLUMNS:,}"
        )
    folded = folded_names([name for name in kept if not options.mapping.get(name)])
    targets = {name: options.mapping.get(name) or folded[name] for name in kept}
    refuse_collisions(targets, "be named")
    return targets


def typed_columns(source: Columns, options: ImportOptions) -> tuple[TypedColumn, ...] | None:
    """The columns of a source that knows their types; None where they have to be inferred."""
    kept = new_names(source, options)
    columns = [column for column in source.columns if column.name in kept]
    typed = [_typed(column, column.type) for column in columns if column.type is not None]
    return tuple(typed) if len(typed) == len(columns) else None


def _typed(column: SourceColumn, kind: ColumnType) -> TypedColumn:
    return TypedColumn(column.name, kind, f"the source says {column.spelled}")
