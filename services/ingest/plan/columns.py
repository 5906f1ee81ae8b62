"""A file's header against the table: which column goes where, or why the file is refused."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.ingest.domain import ImportOptions
from services.ingest.errors import (
    DuplicateColumnError,
    EmptyColumnNameError,
    IdColumnError,
    MissingColumnError,
    OptionError,
    TooManyColumnsError,
    UnknownColumnError,
)
from shared.contracts.records import ID_COLUMN, ColumnContract, TableContract
from shared.values.types import ColumnType, TypeName

COLUMN_LIMIT = 1_600
"""PostgreSQL's columns per table; a file with more cannot fit any."""
ID_TYPE = ColumnType(name=TypeName.BIGINT)


@dataclass(frozen=True, slots=True)
class PlannedColumn:
    """A column of the source and the column of the table it goes into."""

    source: str
    target: str
    type: ColumnType
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """Where each column of the source goes.

    `originals`: the source's columns that stand in the report of refused rows, in order.
    """

    columns: tuple[PlannedColumn, ...]
    originals: tuple[str, ...]

    @property
    def brings_ids(self) -> bool:
        """Whether the source gives the rows their `id`."""
        return any(column.target == ID_COLUMN for column in self.columns)


def checked_names(header: Sequence[str | None]) -> tuple[str, ...]:
    """The header's names, stripped; raises when one is empty or stands twice, or for too many."""
    names = tuple((name or "").strip() for name in header)
    if len(names) > COLUMN_LIMIT:
        raise TooManyColumnsError(
            f"the header has {len(names):,} columns; a table has at most {COLUMN_LIMIT:,}"
        )
    empty = [str(at) for at, name in enumerate(names, 1) if not name]
    if empty:
        raise EmptyColumnNameError(
            f"the header has no name for column {', '.join(empty)}: name every column",
        )
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise DuplicateColumnError.of_columns(
            f"the header names {_listed(twice)} more than once: rename or remove all but one",
            twice,
            "stands more than once in the header",
        )
    return names


def plan_columns(
    names: Sequence[str],
    contract: TableContract,
    options: ImportOptions,
    *,
    ignoring_others: bool = False,
) -> ColumnPlan:
    """Match a file's columns with the table's, by name or by `mapping`.

    Columns that begin with `_` are ignored unless mapped; with `ignoring_others` those that the
    table lacks are ignored too. Raises a HeaderError for an unknown column, two columns into one,
    an `id` that is neither key nor mapped, and a missing column that must not be null and has no
    default; OptionError for a `mapping` or `key` that names what is not there.
    """
    types: dict[str, ColumnContract] = {column.name: column for column in contract.columns}
    targets = _targets(names, options)
    if ignoring_others:
        targets = {source: target for source, target in targets.items() if target in types}
    unknown = [source for source, target in targets.items() if target not in (*types, ID_COLUMN)]
    if unknown:
        raise UnknownColumnError.of_columns(
            f"the table {contract.table} has no column {_listed(unknown)}; it has"
            f" {_listed(list(types))}. Rename the column, or drop or map it with `mapping`",
            unknown,
            "is no column of the table",
        )
    _refuse_collisions(targets)
    _refuse_own_id(targets, options)
    _refuse_gaps(targets, contract, options)
    columns = tuple(
        PlannedColumn(source, ID_COLUMN, ID_TYPE, nullable=False)
        if target == ID_COLUMN
        else PlannedColumn(
            source,
            target,
            types[target].type,
            nullable=types[target].nullable and target not in options.key,
        )
        for source, target in targets.items()
    )
    return ColumnPlan(columns, originals_of(names))


def _refuse_own_id(targets: Mapping[str, str], options: ImportOptions) -> None:
    if targets.get(ID_COLUMN) == ID_COLUMN and not (
        ID_COLUMN in options.key or ID_COLUMN in options.mapping
    ):
        raise IdColumnError.of_columns(
            "the file has a column id, which the table fills by itself: drop or map it with"
            " `mapping`, or say `key=id` to update rows by it",
            [ID_COLUMN],
            "is filled by the table itself",
        )


def _refuse_gaps(
    targets: Mapping[str, str], contract: TableContract, options: ImportOptions
) -> None:
    """Refuse a file without a column that must be there, for its own sake or as a key."""
    missing: list[str] = [
        column.name
        for column in contract.columns
        if not column.nullable and not column.has_default and column.name not in targets.values()
    ]
    if missing:
        raise MissingColumnError.of_columns(
            f"the file lacks {_listed(missing)}, which must not be empty and has no default",
            missing,
            "must not be empty and is missing from the file",
        )
    absent = [name for name in options.key if name not in targets.values()]
    if absent:
        raise OptionError.of(
            "key", "invalid_option", f"the file has no column for {_listed(absent)}"
        )


def originals_of(names: Sequence[str]) -> tuple[str, ...]:
    """The columns that the report of refused rows repeats: all but those that begin with `_`."""
    return tuple(name for name in names if not name.startswith("_"))


def _targets(names: Sequence[str], options: ImportOptions) -> dict[str, str]:
    mapping: Mapping[str, str | None] = options.mapping
    stray = [source for source in mapping if source not in names]
    if stray:
        raise OptionError.of(
            "mapping", "invalid_option", f"the file has no column {_listed(stray)}"
        )
    targets: dict[str, str] = {}
    for name in names:
        target = mapping.get(name, None if name.startswith("_") else name)
        if target is not None:
            targets[name] = target
    if not targets:
        raise UnknownColumnError("no column of the file goes into the table")
    return targets


def _refuse_collisions(targets: Mapping[str, str]) -> None:
    sources: dict[str, list[str]] = {}
    for source, target in targets.items():
        sources.setdefault(target, []).append(source)
    for target, several in sources.items():
        if len(several) > 1:
            raise DuplicateColumnError.of_columns(
                f"{_listed(several)} would all go into {target}: drop all but one with `mapping`",
                several,
                f"would go into {target}, as another column does",
            )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:20])
    return shown if len(names) <= 20 else f"{shown} and {len(names) - 20} more"
