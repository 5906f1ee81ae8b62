"""`tabularium tables alter`: a table's columns, their types and rules, its keys, its name."""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer

from cli.answers import Table
from cli.arguments import TableName
from cli.client import part
from cli.commands.tables import print_table
from cli.errors import UsageError
from cli.flattened import flattened
from cli.options import assigned, json_of
from cli.session import AsJson, Url, examples, session

EXAMPLES = examples(
    "tabularium tables alter Customer --add age:SMALLINT --drop fax",
    "tabularium tables alter Customer --type zip=TEXT --not-null email --unique email",
    "tabularium tables alter Ads --rename-column klicks=clicks --default clicks=0",
    "tabularium tables alter Ads --unique day,campaign",
    """tabularium tables alter Ads '{"alter": [{"name": "clicks", "rules": {"min": 0}}]}'""",
)
OF_COLUMNS = "Columns"
OF_TABLE = "The table"
CALLS = {"now()": "now", "today()": "today", "uuid()": "uuid", "user()": "user"}
WORDS_BEHIND_TYPE = re.compile(r"\s(UNIQUE|NOT\s+NULL|DEFAULT)\b", re.IGNORECASE)


def _many(help_: str, metavar: str) -> Any:
    return typer.Option(help=f"{help_}; repeat it.", metavar=metavar, rich_help_panel=OF_COLUMNS)


@dataclass(frozen=True, kw_only=True)
class Alterations:
    """The changes as options."""

    add: Annotated[list[str] | None, _many("A new column", "NAME:TYPE")] = None
    drop: Annotated[list[str] | None, _many("A column that goes", "COLUMN")] = None
    rename_column: Annotated[list[str] | None, _many("A column's new name", "OLD=NEW")] = None
    type: Annotated[list[str] | None, _many("A column's new type", "COLUMN=TYPE")] = None
    not_null: Annotated[list[str] | None, _many("A column that needs a value", "COLUMN")] = None
    nullable: Annotated[list[str] | None, _many("A column that needs none", "COLUMN")] = None
    unique: Annotated[
        list[str] | None, _many("What is unique, several columns together", "COLUMN,...")
    ] = None
    not_unique: Annotated[list[str] | None, _many("What is unique no more", "COLUMN,...")] = None
    default: Annotated[
        list[str] | None,
        _many("A default: a value, now(), today(), uuid() or user(); COLUMN:=JSON", "COLUMN=VALUE"),
    ] = None
    no_default: Annotated[list[str] | None, _many("A column without a default", "COLUMN")] = None
    rename: Annotated[
        str | None, typer.Option(help="The table's new name.", rich_help_panel=OF_TABLE)
    ] = None
    description: Annotated[
        str | None, typer.Option(help="What the table is for.", rich_help_panel=OF_TABLE)
    ] = None

    def body(self) -> dict[str, Any]:
        """What `PATCH /api/tables/{table}` takes; raises UsageError."""
        added = {name: {"name": name, "type": kind} for name, kind in _added(self.add or ())}
        altered: dict[str, dict[str, Any]] = {}
        for name, member, value in self._of_columns():
            column = added[name] if name in added else altered.setdefault(name, {"name": name})
            if member in column:
                raise UsageError(f"the {member} of {name!r} is given twice")
            column[member] = value
        keys = {
            way: [names for names in map(_names, given or ()) if len(names) > 1]
            for way, given in (("add", self.unique), ("drop", self.not_unique))
        }
        body = {
            "rename": self.rename,
            "description": self.description,
            "add": list(added.values()),
            "drop": self.drop,
            "alter": list(altered.values()),
            "unique": {way: keys_ for way, keys_ in keys.items() if keys_},
        }
        return {name: value for name, value in body.items() if value or value == ""}

    def _of_columns(self) -> Iterable[tuple[str, str, Any]]:
        """Column, member of its definition, value."""
        for given, member, option in (
            (self.rename_column, "rename", "--rename-column"),
            (self.type, "type", "--type"),
        ):
            yield from ((name, member, value) for name, value in _pairs(given or (), option))
        for names, member, value in (
            (self.not_null, "nullable", False),
            (self.nullable, "nullable", True),
            (self.no_default, "default", None),
        ):
            yield from ((name, member, value) for name in names or ())
        for keys, value in ((self.unique, True), (self.not_unique, False)):
            single = [names for names in map(_names, keys or ()) if len(names) == 1]
            yield from ((name, "unique", value) for (name,) in single)
        for name, value in assigned(self.default or ()).items():
            called = CALLS.get(value) if isinstance(value, str) else None
            yield name, "default", value if called is None else {"call": called}


@flattened
def alter(
    *,
    table: TableName,
    changes: Annotated[
        str | None,
        typer.Argument(
            metavar="[JSON]",
            help="What `PATCH /api/tables/{table}` takes (rename, add, drop, alter, unique,"
            " description), in place of options: a file, `-`, or the JSON itself.",
        ),
    ] = None,
    given: Alterations,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Change a table: all of it in one transaction, or nothing."""
    by_options = any(value is not None for value in asdict(given).values())
    if by_options == (changes is not None):
        raise UsageError("say what to change, by options or as JSON")
    body = given.body() if changes is None else json_of(changes, option="JSON")
    with session(url, as_json=as_json) as here:
        changed = here.client.send("PATCH", f"/api/tables/{part(table)}", body=body).text
        if as_json:
            here.screen.raw(changed)
            return
        print_table(here.screen, Table.model_validate_json(changed))


def _added(columns: Iterable[str]) -> Iterable[tuple[str, str]]:
    for column in columns:
        name, colon, kind = column.partition(":")
        if not colon or not name.strip() or not kind.strip():
            raise UsageError(f"--add: {column!r} is no NAME:TYPE")
        if WORDS_BEHIND_TYPE.search(kind):
            raise UsageError(
                f"--add: {column!r} has more than a type; the rest goes into --unique, --not-null"
                f" or --default {name}=VALUE"
            )
        yield name.strip(), kind.strip()


def _pairs(words: Iterable[str], option: str) -> Iterable[tuple[str, str]]:
    for word in words:
        left, equals, right = word.partition("=")
        if not equals or not left or not right:
            raise UsageError(f"{option}: {word!r} wants two sides: COLUMN=...")
        yield left, right


def _names(key: str) -> list[str]:
    return [name.strip() for name in key.split(",")]
