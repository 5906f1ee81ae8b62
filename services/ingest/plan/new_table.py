"""A table to be made for a source, out of inferred types or those that the source has."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.ingest.domain.options import ImportOptions
from services.ingest.domain.outcome import InferredColumn
from services.ingest.errors import EmptyFileError, OptionError, TooManyColumnsError
from services.ingest.plan.names import (
    COLUMN_LIMIT,
    by_name,
    folded_names,
    left_out,
    refuse_collisions,
    refuse_stray,
    refuse_too_many,
)
from services.ingest.plan.source_columns import Columns, SourceColumn
from shared.contracts.records import NewColumn
from shared.values.names import of_api
from shared.values.notation import Notation
from shared.values.types import ColumnType

SYSTEM_COLUMNS = 2


@dataclass(frozen=True, slots=True)
class TypedColumn:
    """A source column, the type it gets, and why."""

    name: str
    type: ColumnType
    because: str
    notation: Notation | None = None
    """How its cells are written, where the options do not say."""
    null_values: tuple[str, ...] = ()
    """Words that mean NULL in this column."""


@dataclass(frozen=True, slots=True)
class NewTable:
    """The columns of the table, what is said of them, and the mapping onto them."""

    columns: tuple[NewColumn, ...]
    inferred: tuple[InferredColumn, ...]
    mapping: Mapping[str, str | None]
    typed: tuple[TypedColumn, ...] = ()
    """The source's columns, as they were found to be written."""

    @classmethod
    def of(
        cls,
        columns: tuple[TypedColumn, ...],
        source: Columns,
        options: ImportOptions,
        *,
        taken: Iterable[str] = (),
    ) -> "NewTable":
        """A table with these columns, none of which is called by a `taken` name.

        Raises as `new_names`, and EmptyFileError for none.
        """
        if not columns:
            raise EmptyFileError("the file names no column that the table could have")
        targets = new_names(source, options, taken=taken)
        origin = "file" if source.ways.reports else "source"
        return cls(
            columns=tuple(
                NewColumn(
                    name=targets[column.name],
                    type=column.type,
                    description=None
                    if targets[column.name] == column.name
                    else f"'{column.name}' in the {origin}",
                    source=_other_name(column.name, targets),
                    null_values=column.null_values,
                )
                for column in columns
            ),
            inferred=tuple(
                InferredColumn(
                    column=targets[column.name],
                    type=column.type.spelled(),
                    because=column.because,
                    source=_other_name(column.name, targets),
                )
                for column in columns
            ),
            mapping={**by_name(options.mapping, source.columns), **targets},
            typed=columns,
        )


def _other_name(source: str, targets: Mapping[str, str]) -> str | None:
    """The name in the source, where the table has another."""
    return None if targets[source] == source else source


def new_names(
    source: Columns, options: ImportOptions, *, taken: Iterable[str] = ()
) -> dict[str, str]:
    """Source name → name in a new table; a name that the caller mapped is not folded.

    Raises TooManyColumnsError, DuplicateColumnError for two that are mapped to one name, and
    OptionError for a mapped column that is not there.
    """
    columns = source.columns
    refuse_too_many(columns)
    mapping = by_name(options.mapping, columns)
    if not source.ways.open_ended:
        refuse_stray("mapping", mapping, [column.name for column in columns])
    ignored = left_out(source)
    kept = [
        (at, column)
        for at, column in enumerate(columns, 1)
        if mapping.get(column.name, None if column.name in ignored else column.name) is not None
    ]
    if len(kept) + SYSTEM_COLUMNS > COLUMN_LIMIT:
        raise TooManyColumnsError(
            f"the file has {len(kept):,} columns; a table has room for"
            f" {COLUMN_LIMIT - SYSTEM_COLUMNS:,}"
        )
    chosen = {column.name: to for _, column in kept if (to := mapping.get(column.name))}
    refuse_collisions(chosen, "be named")
    folded = [(at, column) for at, column in kept if column.name not in chosen]
    names = folded_names(folded, {*chosen.values(), *taken})
    targets = dict(zip((column.name for _, column in folded), names, strict=True)) | chosen
    return {column.name: targets[column.name] for _, column in kept}


def typed_columns(source: Columns, options: ImportOptions) -> tuple[TypedColumn, ...] | None:
    """The columns of a source that knows their types; None where they have to be inferred.

    Raises as `named_types`.
    """
    kept, named = new_names(source, options), named_types(source, options)
    columns = [column for column in source.columns if column.name in kept]
    typed = [
        named.get(column.name) or _typed(column, column.type)
        for column in columns
        if column.type is not None
    ]
    return tuple(typed) if len(typed) == len(columns) else None


def named_types(source: Columns, options: ImportOptions) -> dict[str, TypedColumn]:
    """The source columns whose type the caller named, by their name or by that of the table.

    Raises OptionError for a type that is none, and for a column that is not there.
    """
    sources = {target: name for name, target in new_names(source, options).items()}
    named = {
        name if name in sources.values() else sources.get(name, name): words
        for name, words in by_name(options.types, source.columns).items()
    }
    if not source.ways.open_ended:
        refuse_stray("types", named, [column.name for column in source.columns])
    try:
        return {
            name: TypedColumn(name, of_api(words or ""), "`types` names it")
            for name, words in named.items()
        }
    except ValueError as error:
        raise OptionError.of("types", "invalid_option", str(error)) from error


def _typed(column: SourceColumn, kind: ColumnType) -> TypedColumn:
    return TypedColumn(column.name, kind, f"the source says {column.spelled}")
