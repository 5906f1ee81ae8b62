"""`on_new_column=add`: columns of a source that its table has not, typed, and made before its rows.

They are made in another service's transaction, as a new table is, and stay when the load fails.
"""

from dataclasses import dataclass, replace

from services.ingest.domain.options import ImportOptions
from services.ingest.domain.outcome import InferredColumn
from services.ingest.load.outside import Outside
from services.ingest.load.readings import as_it_turns_out, inferred_types
from services.ingest.plan.columns import Others, plan_columns
from services.ingest.plan.new_table import NewTable, TypedColumn, typed_columns
from services.ingest.read.source import Source
from shared.contracts.records import SYSTEM_COLUMNS, TableContract


@dataclass(frozen=True, slots=True)
class Extended:
    """A table with the columns that a source brings, and how these go in.

    In a dry run the table stays as it is, and they go nowhere.
    """

    source: Source
    options: ImportOptions
    contract: TableContract
    added: tuple[InferredColumn, ...] = ()
    typed: tuple[TypedColumn, ...] = ()


async def extended(
    source: Source, outside: Outside, options: ImportOptions, contract: TableContract
) -> Extended:
    """Add to the table what it has not; raises as `plan_columns`, `infer` and `outside`."""

    async def described(source: Source) -> tuple[Source, NewTable | None]:
        new = plan_columns(source, contract, options, others=Others.IGNORED).ignored
        if not new and not source.ways.open_ended:
            return source, None
        others = {column.name: None for column in source.columns if column.name not in new}
        alone = replace(options, mapping=others)
        columns = typed_columns(source, alone) if new else None
        if columns is None:
            columns = await inferred_types(source, alone, outside)
        names = (*SYSTEM_COLUMNS, *(column.name for column in contract.columns))
        return source, NewTable.of(columns, source, alone, taken=names) if columns else None

    source, table = await as_it_turns_out(source, described)
    if table is None:
        return Extended(source, options, contract)
    targets = {source: target for source, target in table.mapping.items() if target is not None}
    if options.dry_run:
        nowhere = dict.fromkeys(targets)
        return Extended(
            source,
            replace(options, mapping={**options.mapping, **nowhere}),
            contract,
            added=_noted(table, "it would be added"),
        )
    return Extended(
        source,
        replace(options, mapping={**options.mapping, **targets}),
        await outside.add_columns(table.columns),
        added=_noted(table, "added to the table"),
        typed=table.typed,
    )


def _noted(table: NewTable, note: str) -> tuple[InferredColumn, ...]:
    return tuple(replace(each, because=f"{each.because}; {note}") for each in table.inferred)
