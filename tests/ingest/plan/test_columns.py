"""Which column goes where, and which of several faults of a header is raised."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations

import pytest

from services.ingest.domain.options import ImportOptions, Mode, OnNewColumn
from services.ingest.errors import (
    DuplicateColumnError,
    EmptyColumnNameError,
    FileRefusedError,
    IdColumnError,
    MissingColumnError,
    OptionError,
    TooManyColumnsError,
    UnknownColumnError,
)
from services.ingest.plan.columns import Others, notes, plan_columns
from services.ingest.plan.names import COLUMN_LIMIT, named_columns
from services.ingest.plan.source_columns import SourceColumn, Ways
from shared.contracts.records import ColumnContract, ColumnName, TableContract, TableName, TableOid
from shared.values.types import ColumnType, TypeName

CSV, JSON, DATABASE = Ways(reports=True), Ways(open_ended=True), Ways(case_blind=True)


@dataclass(frozen=True)
class Header:
    names: tuple[str, ...]
    ways: Ways = CSV

    @property
    def columns(self) -> tuple[SourceColumn, ...]:
        return named_columns(self.names)


def table(**columns: str) -> TableContract:
    """`a=""`, `b="NOT NULL"`, `c="DEFAULT"`."""
    return TableContract(
        table=TableName("t"),
        oid=TableOid(1),
        version=1,
        columns=tuple(
            ColumnContract(
                name=ColumnName(name),
                attnum=at,
                type=ColumnType(name=TypeName.TEXT),
                nullable="NOT NULL" not in words,
                has_default="DEFAULT" in words,
            )
            for at, (name, words) in enumerate(columns.items(), 1)
        ),
        unique_keys=(),
    )


@dataclass(frozen=True)
class Case:
    names: tuple[str, ...] = ("a", "b")
    options: ImportOptions = field(default_factory=ImportOptions)
    missing: bool = False

    def mapped(self, mapping: Mapping[str, str | None]) -> "Case":
        return replace(
            self, options=replace(self.options, mapping={**self.options.mapping, **mapping})
        )

    def named(self, *names: str) -> "Case":
        return replace(self, names=(*self.names, *names))


Fault = Callable[[Case], Case]
IN_ORDER: tuple[tuple[type[FileRefusedError], str, Fault], ...] = (
    (TooManyColumnsError, "", lambda c: c.named(*(f"x{n}" for n in range(COLUMN_LIMIT)))),
    (EmptyColumnNameError, "", lambda c: c.named("")),
    (DuplicateColumnError, "more than once", lambda c: c.named("c", "c")),
    (OptionError, "no column 'nowhere'", lambda c: c.mapped({"nowhere": "a"})),
    (UnknownColumnError, "", lambda c: c.named("zz")),
    (DuplicateColumnError, "would all go into", lambda c: c.named("d").mapped({"d": "a"})),
    (IdColumnError, "", lambda c: c.named("id")),
    (MissingColumnError, "", lambda c: replace(c, missing=True)),
    (
        OptionError,
        "no column for 'e'",
        lambda c: replace(c, options=replace(c.options, mode=Mode.UPSERT, key=("e",))),
    ),
)


def raised(case: Case, ways: Ways = CSV) -> FileRefusedError:
    contract = table(
        a="", b="", c="", d="", e="DEFAULT", **({"m": "NOT NULL"} if case.missing else {})
    )
    with pytest.raises(FileRefusedError) as caught:
        plan_columns(Header(case.names, ways), contract, case.options)
    return caught.value


NO_FAULT_OF_JSON = 3
"""Behind its head a JSON file may have any column that `mapping` names."""


@pytest.mark.parametrize(
    ("ways", "first", "second"),
    [
        (ways, first, second)
        for ways in (CSV, JSON, DATABASE)
        for first, second in combinations(range(len(IN_ORDER)), 2)
        if ways is not JSON or first != NO_FAULT_OF_JSON
    ],
)
def test_of_two_faults_the_first_in_order_is_raised(ways: Ways, first: int, second: int) -> None:
    error, words, put = IN_ORDER[first]
    found = raised(IN_ORDER[second][2](put(Case())), ways)
    assert type(found) is error
    assert words in (found.detail or "")


def test_a_json_head_is_judged_without_what_may_still_come() -> None:
    contract = table(a="", late="DEFAULT", m="NOT NULL")
    options = ImportOptions(mapping={"x": "m"})
    assert isinstance(raised_by(Header(("a",), JSON), contract, options), MissingColumnError)
    plan = plan_columns(Header(("a", "x"), JSON), contract, options)
    assert plan.names == ("a", "x")
    assert plan.late == {"late"}
    assert {column.source: column.target for column in plan.columns} == {"a": "a", "x": "m"}


def test_an_open_ended_source_gets_the_tables_columns_without_default() -> None:
    contract = table(a="", b="", c="DEFAULT")
    plan = plan_columns(Header(("a",), JSON), contract, ImportOptions(mapping={"y": "c"}))
    assert plan.names == ("a", "y", "b")
    assert plan.late == frozenset()
    assert plan_columns(Header((), JSON), contract, ImportOptions()).names == ("a", "b")


def test_a_databases_names_are_matched_in_any_case_where_that_is_unambiguous() -> None:
    contract = table(name="", Total="")
    plan = plan_columns(Header(("NAME", "TOTAL"), DATABASE), contract, ImportOptions())
    assert [column.target for column in plan.columns] == ["name", "Total"]
    both = Header(("NAME", "Name"), DATABASE)
    assert isinstance(raised_by(both, contract, ImportOptions()), UnknownColumnError)
    twice = table(name="", Name="")
    assert isinstance(
        raised_by(Header(("NAME",), DATABASE), twice, ImportOptions()), UnknownColumnError
    )


def test_columns_that_the_table_has_not_are_ignored_where_that_is_wanted() -> None:
    source = Header(("a", "zz", "_line"))
    plan = plan_columns(source, table(a=""), ImportOptions(), others=Others.IGNORED)
    assert [column.source for column in plan.columns] == ["a"]
    assert (plan.names, plan.originals) == (
        ("a", "zz", "_line"),
        {"a": "a", "zz": "zz", "_line": "_line"},
    )
    with pytest.raises(UnknownColumnError, match="it has 'a', 'b'"):
        plan_columns(Header(("zz",)), table(a="", b=""), ImportOptions(), others=Others.IGNORED)


def test_a_caller_may_have_new_columns_ignored() -> None:
    source = Header(("a", "zz", "b", "b"))
    options = ImportOptions(mapping={"#3": None}, on_new_column=OnNewColumn.IGNORE)
    plan = plan_columns(source, table(a=""), options)
    assert [column.source for column in plan.columns] == ["a"]
    assert [note.column for note in notes(plan)] == ["zz", "b#2"]
    assert isinstance(raised_by(Header(("zz",)), table(a=""), options), OptionError)
    bare = ImportOptions(on_new_column=OnNewColumn.IGNORE)
    assert isinstance(raised_by(Header(("zz",)), table(a=""), bare), UnknownColumnError)


def raised_by(source: Header, contract: TableContract, options: ImportOptions) -> FileRefusedError:
    with pytest.raises(FileRefusedError) as caught:
        plan_columns(source, contract, options)
    return caught.value
