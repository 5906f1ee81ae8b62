"""Which column of a source goes into which column of the table; decided here, once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from services.ingest.domain.options import ImportOptions, Mode, OnNewColumn
from services.ingest.domain.outcome import InferredColumn
from services.ingest.errors import (
    IdColumnError,
    MissingColumnError,
    OptionError,
    UnknownColumnError,
)
from services.ingest.plan.names import (
    by_name,
    folded_name,
    left_out,
    listed,
    refuse_collisions,
    refuse_stray,
    refuse_too_many,
    refuse_unclear,
)
from services.ingest.plan.new_table import named_types
from services.ingest.plan.source_columns import Columns
from shared.contracts.records import ID_COLUMN, ColumnContract, TableContract
from shared.values.nearest import did_you_mean
from shared.values.rules import NO_RULES, ColumnRules
from shared.values.types import NUMBER_TYPES, TIMESTAMP_TYPES, ColumnType, TypeName

WITH_NULL_WORDS = NUMBER_TYPES | TIMESTAMP_TYPES | {TypeName.DATE}
"""Types beside which a word such as NA may mean NULL."""
ID_TYPE = ColumnType(name=TypeName.BIGINT)


class Others(Enum):
    """What becomes of columns that the table has not."""

    REFUSED = "refused"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class PlannedColumn:
    """A column of the source and the column of the table it goes into."""

    source: str
    target: str
    type: ColumnType
    nullable: bool = True
    rules: ColumnRules = NO_RULES
    null_values: tuple[str, ...] = ()
    """Words that mean NULL in it, beside those of the import."""


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """Where each column of the source goes; made once, and handed to whoever reads or writes.

    `names`: the columns of every frame, in order. `late`: names that an open-ended source may
    turn up behind its head, which make it be read again.
    """

    columns: tuple[PlannedColumn, ...]
    names: tuple[str, ...]
    originals: Mapping[str, str]
    """Those of the names that the report of refused rows repeats, and how they head it."""
    ignored: tuple[str, ...] = ()
    """Those that nobody mapped and that go nowhere, because the table has no such column."""
    renamed: Mapping[str, InferredColumn] = field(default_factory=dict)
    """By source name, a note on each column that the table calls otherwise and nobody mapped."""
    late: frozenset[str] = frozenset()
    tells_absent: bool = False
    """Frames tell which rows leave a column out, because a record keeps its value then."""
    takes_unsplit: bool = False
    """Of a report of refused rows: those that still stand in `_raw` are rows as the others."""
    infers: bool = False
    """There is no table yet: any name may be late, and frames tell which cells are strings."""

    def types(self) -> dict[str, ColumnType]:
        """Source name → type of the column that it goes into."""
        return {column.source: column.type for column in self.columns}

    @property
    def brings_ids(self) -> bool:
        """Whether the source gives the rows their `id`."""
        return any(column.target == ID_COLUMN for column in self.columns)


def plan_to_infer(source: Columns) -> ColumnPlan:
    """Every column as text, to find the types of a table that is not made yet."""
    names = tuple(column.name for column in source.columns)
    return ColumnPlan(columns=(), names=names, originals={}, infers=True)


def plan_columns(
    source: Columns,
    contract: TableContract,
    options: ImportOptions,
    *,
    others: Others = Others.REFUSED,
) -> ColumnPlan:
    """Match a source's columns with the table's: by `mapping`, or by name.

    A name that the table has comes first, then one that it remembers of the file it was made for,
    then the one that a name folds to.

    The first of these that holds is raised: a HeaderError for too many columns, a nameless one
    or a name that stands twice; OptionError for a `mapping` that names what is not there; a
    HeaderError for an unknown column, two columns into one, an `id` that is neither key nor
    mapped, and a missing column that must not be null and has no default; OptionError for a
    `key` without a column.

    An open-ended source is judged by the columns of its head. Then it gets those that `mapping`
    names and the table's other columns, but for those with a default: these are `late`, because
    a column that is copied at all cannot keep its default.
    """
    columns = source.columns
    refuse_too_many(columns)
    mapping = by_name(options.mapping, columns)
    remembered = _remembered(source, contract, mapping, key=options.key)
    options = replace(options, mapping={**remembered, **mapping})
    if options.on_new_column is not OnNewColumn.REFUSE:
        others = Others.IGNORED
    if others is Others.REFUSED:
        refuse_unclear(columns, options.mapping)
    names = tuple(column.name for column in columns)
    matching = _Matching(source, contract, options, others)
    headings = {column.name: column.heading for column in columns}
    if not source.ways.open_ended:
        plan = matching.plan(names, originals_of(headings, source))
        return replace(plan, renamed=_renamed(plan, headings, mapping, remembered))
    taken = {to for to in options.mapping.values() if to is not None}
    if names:
        present = {name: to for name, to in options.mapping.items() if name in names}
        head = replace(matching, options=replace(options, mapping=present))
        taken |= {column.target for column in head.planned(names)}
    free = [column for column in contract.columns if column.name not in taken]
    without_default = [column.name for column in free if not column.has_default]
    names = tuple(dict.fromkeys([*names, *options.mapping, *without_default]))
    originals = originals_of({name: name for name in names}, source)
    known = {name for column in free for name in (str(column.name), column.source) if name}
    plan = matching.plan(names, originals)
    return replace(
        plan,
        late=frozenset(known.difference(names)),
        tells_absent=options.mode is Mode.UPSERT,
        renamed=_renamed(plan, headings, mapping, remembered),
    )


def notes(plan: ColumnPlan) -> tuple[InferredColumn, ...]:
    """What is said of columns that the table calls otherwise, or has not."""
    return (
        *plan.renamed.values(),
        *(
            InferredColumn(column=name, type="ignored", because="the table has no such column")
            for name in plan.ignored
        ),
    )


def unfilled(plan: ColumnPlan, contract: TableContract) -> tuple[InferredColumn, ...]:
    """What is said of the table's columns that a source in place of all its rows has not."""
    targets = {column.target for column in plan.columns}
    return tuple(
        InferredColumn(
            column=column.name, type="missing", because="nothing goes into it: NULL or its default"
        )
        for column in contract.columns
        if column.name not in targets
    )


def _remembered(
    source: Columns,
    contract: TableContract,
    mapping: Mapping[str, str | None],
    *,
    key: Sequence[str],
) -> dict[str, str | None]:
    """Source name → column of the table that remembers it, if no other goes there.

    An `id` is the table's own only where it is the key.
    """
    names = {column.name for column in source.columns} - left_out(source) - set(mapping)
    own = {str(column.name) for column in contract.columns} | ({ID_COLUMN} & set(key))
    taken = (own & names) | {target for target in mapping.values() if target is not None}
    return {
        column.source: column.name
        for column in contract.columns
        if column.source in names - own and column.name not in taken
    }


def _renamed(
    plan: ColumnPlan,
    headings: Mapping[str, str],
    mapping: Mapping[str, str | None],
    remembered: Mapping[str, str | None],
) -> dict[str, InferredColumn]:
    return {
        column.source: InferredColumn(
            column=column.target,
            type=column.type.spelled(),
            because="the table remembers this name"
            if column.source in remembered
            else "the name folds to that of the column",
            source=headings.get(column.source) or column.source,
        )
        for column in plan.columns
        if column.source not in mapping and column.source.lower() != column.target.lower()
    }


def check_columns(
    source: Columns,
    contract: TableContract | None,
    options: ImportOptions,
    *,
    others: Others = Others.REFUSED,
) -> None:
    """Refuse what cannot go into a table of this contract, or (None) into a new one.

    Raises as `plan_columns` and `named_types`.
    """
    if contract is None:
        named_types(source, options)
    else:
        plan_columns(source, contract, options, others=others)


def originals_of(headings: Mapping[str, str], source: Columns) -> dict[str, str]:
    """The columns that the report of refused rows repeats, all but its own: name → heading."""
    ignored = left_out(source)
    return {name: heading for name, heading in headings.items() if name not in ignored}


@dataclass(frozen=True, slots=True)
class _Matching:
    source: Columns
    contract: TableContract
    options: ImportOptions
    others: Others

    def plan(self, names: tuple[str, ...], originals: Mapping[str, str]) -> ColumnPlan:
        columns = self.planned(names)
        planned = {column.source for column in columns}
        others = [name for name in originals if name not in (*planned, *self.options.mapping)]
        return ColumnPlan(columns, names, originals, ignored=tuple(others))

    def planned(self, names: Sequence[str]) -> tuple[PlannedColumn, ...]:
        types: dict[str, ColumnContract] = {c.name: c for c in self.contract.columns}
        targets = self._targets(names)
        if self.others is Others.IGNORED:
            targets = {source: target for source, target in targets.items() if target in types}
            if not targets:
                raise self._nothing_fits()
        self._refuse_unknown(targets, types)
        refuse_collisions(targets)
        self._refuse_own_id(targets)
        self._refuse_gaps(targets)
        return tuple(
            PlannedColumn(source, ID_COLUMN, ID_TYPE, nullable=False)
            if target == ID_COLUMN
            else PlannedColumn(
                source,
                target,
                types[target].type,
                nullable=types[target].nullable and target not in self.options.key,
                rules=types[target].rules,
                null_values=types[target].null_values
                if types[target].type.name in WITH_NULL_WORDS
                else (),
            )
            for source, target in targets.items()
        )

    def _nothing_fits(self) -> UnknownColumnError:
        names = listed([column.name for column in self.contract.columns])
        return UnknownColumnError(f"no column of the file goes into the table; it has {names}")

    def _targets(self, names: Sequence[str]) -> dict[str, str]:
        mapping = self.options.mapping
        refuse_stray("mapping", mapping, names)
        ignored = left_out(self.source)
        free = [name for name in names if name not in mapping and name not in ignored]
        matched = self._matched(free, {to for to in mapping.values() if to is not None})
        targets: dict[str, str] = {}
        for name in names:
            default = None if name in ignored else matched.get(name, name)
            target = mapping.get(name, default)
            if target is not None:
                targets[name] = target
        if not targets:
            raise self._nothing_fits()
        return targets

    def _matched(self, names: Sequence[str], taken: set[str]) -> dict[str, str]:
        """Source name → column of the table: by name, in any case, folded.

        What is not exactly the same is only taken where it is the one that fits a column that no
        other has.
        """
        own = [ID_COLUMN, *(str(column.name) for column in self.contract.columns)]
        matched = {name: name for name in names if name in own}
        headings = {column.name: column.heading for column in self.source.columns}
        places = {column.name: at for at, column in enumerate(self.source.columns, 1)}
        spellings: list[Callable[[str], str]] = []
        if self.source.ways.case_blind:
            spellings.append(str.lower)
        spellings.append(lambda name: folded_name(headings.get(name, name), places.get(name, 0)))
        for spelling in spellings:
            left = [name for name in names if name not in matched]
            if not left:
                break
            free = [name for name in own if name not in (*matched.values(), *taken)]
            targets = _by_spelling(free, str.lower if spelling is str.lower else str)
            for spelled, sources in _by_spelling(left, spelling).items():
                fitting = targets.get(spelled, [])
                if len(sources) == 1 and len(fitting) == 1:
                    matched[sources[0]] = fitting[0]
        return matched

    def _refuse_unknown(self, targets: Mapping[str, str], types: Mapping[str, object]) -> None:
        unknown = [name for name, target in targets.items() if target not in (*types, ID_COLUMN)]
        if unknown:
            nearest = did_you_mean(targets[unknown[0]], types)
            raise UnknownColumnError.of_columns(
                f"the table {self.contract.table} has no column {listed(unknown)}{nearest}; it has"
                f" {listed(list(types))}. Rename the column, or drop or map it with `mapping`",
                unknown,
                "is no column of the table",
            )

    def _refuse_own_id(self, targets: Mapping[str, str]) -> None:
        if targets.get(ID_COLUMN) == ID_COLUMN and not (
            ID_COLUMN in self.options.key or ID_COLUMN in self.options.mapping
        ):
            raise IdColumnError.of_columns(
                "the file has a column id, which the table fills by itself: drop or map it with"
                " `mapping`, or say `key=id` to update rows by it",
                [ID_COLUMN],
                "is filled by the table itself",
            )

    def _refuse_gaps(self, targets: Mapping[str, str]) -> None:
        """Refuse a file without a column that must be there, for its own sake or as a key."""
        matched = set(targets.values())
        missing: list[str] = [
            column.name
            for column in self.contract.columns
            if not column.nullable and not column.has_default and column.name not in matched
        ]
        if missing:
            raise MissingColumnError.of_columns(
                f"the file lacks {listed(missing)}, which must not be empty and has no default",
                missing,
                "must not be empty and is missing from the file",
            )
        absent = [name for name in self.options.key if name not in matched]
        if absent:
            raise OptionError.of(
                "key", "invalid_option", f"the file has no column for {listed(absent)}"
            )


def _by_spelling(names: Sequence[str], spelling: Callable[[str], str]) -> dict[str, list[str]]:
    spelled: dict[str, list[str]] = {}
    for name in names:
        spelled.setdefault(spelling(name), []).append(name)
    return spelled
