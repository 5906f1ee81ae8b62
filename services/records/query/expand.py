"""References followed: the referenced record as an object beside the column that names it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, cast

from services.records.ddl import table_name
from services.records.domain import Column, Table, normalised
from services.records.query import statement
from services.records.query.plan import Numbers
from shared.errors import InvalidInputError
from shared.store.identifiers import quoted

PARAMETER = "expand"
DEPTH_LIMIT = 3
EXPANSIONS_LIMIT = 5


@dataclass(frozen=True, slots=True)
class Paths:
    """References to follow from one table: each name, with what to follow from there."""

    members: Mapping[str, "Paths"] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many there are in all."""
        return sum(1 + each.count for each in self.members.values())

    def by_column(self, table: Table) -> Mapping[Column, "Paths"]:
        """The columns that the names stand for; raises InvalidInputError as `column_of`."""
        columns: dict[Column, Paths] = {}
        for name, inside in self.members.items():
            column = column_of(table, name)
            columns[column] = columns.get(column, Paths()).joined(inside)
        return columns

    def joined(self, other: "Paths") -> "Paths":
        """Both sets of paths."""
        members = dict(self.members)
        for name, inside in other.members.items():
            members[name] = members.get(name, Paths()).joined(inside)
        return Paths(members)


@dataclass(frozen=True, slots=True)
class Expansion:
    """One reference followed; `table` is None for a table that the caller may not see."""

    column: Column
    name: str
    table: Table | None
    inside: tuple["Expansion", ...] = ()

    def tables(self) -> Iterable[Table]:
        """Every table that is read for it."""
        if self.table is not None:
            yield self.table
        for each in self.inside:
            yield from each.tables()


def paths_of(text: str | None) -> Paths:
    """The parameter `expand`: paths of column names; raises InvalidInputError."""
    tree: _Tree = {}
    for path in filter(None, (each.strip() for each in (text or "").split(","))):
        names = [normalised(name.strip()) for name in path.split(".")]
        if len(names) > DEPTH_LIMIT or not all(names):
            message = f"{path[:80]!r} is no path of 1 to {DEPTH_LIMIT} columns"
            raise InvalidInputError.of(PARAMETER, "too_deep", message)
        level = tree
        for name in names:
            level = cast("_Tree", level.setdefault(name, {}))
    paths = _paths(tree)
    if paths.count > EXPANSIONS_LIMIT:
        message = f"follow at most {EXPANSIONS_LIMIT} references at once"
        raise InvalidInputError.of(PARAMETER, "too_many", message)
    return paths


def column_of(table: Table, name: str) -> Column:
    """The column with a reference that is named so, with or without its closing `_id`.

    Raises InvalidInputError.
    """
    for candidate in (name, f"{name}_id"):
        column = table.by_name.get(candidate)
        if column is not None and column.rules.references is not None:
            return column
    message = f"the table {table.name!r} has no column {name[:80]!r} that references another"
    raise InvalidInputError.of(PARAMETER, "no_reference", message)


def name_of(table: Table, column: Column) -> str:
    """What the object is called: the column without `_id`, or where that is taken `…_record`."""
    name = column.name.removesuffix("_id")
    if name and name not in table.by_name:
        return name
    name = f"{column.name}_record"
    while name in table.by_name:
        name += "_record"
    return name


def members(
    expansions: Sequence[Expansion], numbers: Numbers, *, of: str = statement.ROW, depth: int = 0
) -> list[tuple[str, str]]:
    """Names of members and their expressions, on the rows of the alias `of`."""
    return [(each.name, _object(each, numbers, of=of, depth=depth)) for each in expansions]


def _object(expansion: Expansion, numbers: Numbers, *, of: str, depth: int) -> str:
    reference = expansion.column.rules.references
    if expansion.table is None or reference is None:
        return "NULL::json"
    alias = f"_x{depth}"
    columns = statement.selected_of(alias, expansion.table.shown, numbers)
    inside = members(expansion.inside, numbers, of=alias, depth=depth + 1)
    listed = ", ".join([columns, *(f"{each} AS {quoted(name)}" for name, each in inside)])
    source = f"{table_name(expansion.table.name)} {alias}"
    joined = f"{alias}.{quoted(reference.column)} = {of}.{quoted(expansion.column.name)}"
    return (
        f"(SELECT row_to_json(_e) FROM (SELECT {listed} FROM {source}"  # noqa: S608 - quoted
        f" WHERE {joined}) _e)"
    )


_Tree: TypeAlias = dict[str, object]


def _paths(tree: _Tree) -> Paths:
    return Paths({name: _paths(cast("_Tree", inside)) for name, inside in tree.items()})
