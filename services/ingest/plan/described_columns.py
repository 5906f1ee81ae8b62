"""How the columns of a source meet the columns of a table."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.ingest.domain import ImportOptions, InferredColumn
from services.ingest.plan.columns import checked_names
from services.ingest.plan.described import SourceColumn
from services.ingest.plan.names import folded_names
from shared.contracts.records import ID_COLUMN, NewColumn, TableContract


@dataclass(frozen=True, slots=True)
class NewTable:
    """A table to be made for a source, the mapping into it, and why it has these types."""

    columns: tuple[NewColumn, ...]
    options: ImportOptions
    inferred: tuple[InferredColumn, ...]


def new_table(described: Sequence[SourceColumn], options: ImportOptions) -> NewTable:
    """Columns for `create_table`; raises HeaderError when names fold into one."""
    names = checked_names([column.name for column in described])
    wanted = [name for name in names if options.mapping.get(name, name) is not None]
    mapped = {name: target for name, target in options.mapping.items() if target is not None}
    folded = folded_names([mapped.get(name, name) for name in wanted])
    targets = {name: folded[mapped.get(name, name)] for name in wanted}
    chosen = [column for column in described if column.name in targets]
    return NewTable(
        columns=tuple(
            NewColumn(
                name=targets[column.name],
                type=column.type,
                description=column.name if targets[column.name] != column.name else None,
            )
            for column in chosen
        ),
        options=replace(options, mapping={name: targets.get(name) for name in names}),
        inferred=tuple(
            InferredColumn(
                column=targets[column.name],
                type=column.type.spelled(),
                because=f"the source says {column.spelled}",
            )
            for column in chosen
        ),
    )


def matched(
    described: Sequence[SourceColumn], contract: TableContract, options: ImportOptions
) -> ImportOptions:
    """The options with a mapping for names that differ in case alone, as Oracle's do.

    Only where that is unambiguous; what the caller mapped stays as it is.
    """
    own = [ID_COLUMN, *(str(column.name) for column in contract.columns)]
    by_case: dict[str, list[str]] = {}
    for name in own:
        by_case.setdefault(name.lower(), []).append(name)
    names = [column.name for column in described]
    mapping = dict(options.mapping)
    for name in names:
        near = by_case.get(name.lower(), [])
        alone = sum(other.lower() == name.lower() for other in names) == 1
        if name not in mapping and name not in own and len(near) == 1 and alone:
            mapping[name] = near[0]
    return replace(options, mapping=mapping)
