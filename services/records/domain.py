"""What a user's table is, who may do what to it, and the rule for names.

Free of HTTP and SQL.
"""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from functools import cached_property
from typing import NewType

from shared.contracts.auth import Caller, Sub
from shared.contracts.records import (
    ID_COLUMN,
    IDENTIFIER_LIMIT_BYTES,
    IMPORT_COLUMN,
    VERSION_COLUMN,
    ColumnName,
    TableName,
    TableOid,
)
from shared.errors import InvalidInputError
from shared.values.naming import POSTGRESQL_COLUMNS, may_stand
from shared.values.rules import NO_RULES, ColumnRules, RuleName
from shared.values.texts import readable
from shared.values.types import TEXT_TYPES, ColumnType, TypeName

SEARCHABLE_TYPES = frozenset({TypeName.TEXT, TypeName.VARCHAR})
"""What PostgreSQL's trigram index takes; a blank-padded CHAR(n) is none of it."""
COLUMN_LIMIT = 1000

TableId = NewType("TableId", int)


class Level(IntEnum):
    """What a grant allows; each level holds the ones below it."""

    NONE = 0
    VIEWER = 1
    EDITOR = 2
    OWNER = 3

    @property
    def word(self) -> str:
        """As the API spells it."""
        return self.name.lower()


class DefaultCall(StrEnum):
    """A default that is called for each new row."""

    NOW = "now"
    TODAY = "today"
    UUID = "uuid"
    USER = "user"
    """Who writes the row: an e-mail address or a client's id; for SQL of others, their role."""


@dataclass(frozen=True, slots=True)
class ColumnMemory:
    """What a column remembers of the file it was made for, so that the next one goes in too.

    `source` is its name there, `null_values` are the words that meant NULL.
    """

    source: str
    null_values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a user's table.

    `default` is PostgreSQL's text of the literal (`abc`, `0.50`) or a call that is made for each
    row; None without a default.
    """

    name: ColumnName
    attnum: int
    type: ColumnType
    nullable: bool = True
    unique: bool = False
    default: str | DefaultCall | None = None
    description: str | None = None
    searchable: bool = False
    rules: ColumnRules = NO_RULES
    memory: "ColumnMemory | None" = None

    @property
    def is_text(self) -> bool:
        """Whether `q`, `contains` and their like look into it."""
        return self.type.name in TEXT_TYPES


@dataclass(frozen=True, slots=True)
class ColumnSpec:
    """A column to be made, its names, type, default and rules checked."""

    name: ColumnName
    type: ColumnType
    nullable: bool = True
    unique: bool = False
    default: str | DefaultCall | None = None
    description: str | None = None
    searchable: bool = False
    rules: ColumnRules = NO_RULES
    memory: ColumnMemory | None = None


@dataclass(frozen=True, slots=True)
class Constraint:
    """The primary key or a unique constraint."""

    name: str
    is_primary: bool
    columns: tuple[ColumnName, ...]


@dataclass(frozen=True, slots=True)
class RuleConstraint:
    """The constraint by which PostgreSQL holds one rule of a column."""

    name: str
    column: ColumnName
    rule: RuleName


ID = Column(
    name=ColumnName(ID_COLUMN), attnum=1, type=ColumnType(name=TypeName.BIGINT), nullable=False
)
IMPORT = Column(name=ColumnName(IMPORT_COLUMN), attnum=0, type=ColumnType(name=TypeName.BIGINT))
VERSION = Column(
    name=ColumnName(VERSION_COLUMN),
    attnum=0,
    type=ColumnType(name=TypeName.INTEGER),
    nullable=False,
)


@dataclass(frozen=True, slots=True)
class Sent:
    """JSON that a caller sent: `value` to look at, `text` to hand on to PostgreSQL digit by digit.

    `value` is what `text` holds, or what its `member` holds.
    """

    value: object
    text: str
    member: str | None = None

    def of(self, member: str) -> "Sent":
        """What one member of the object holds; the object is known to have it."""
        assert isinstance(self.value, dict)
        return Sent(self.value[member], self.text, member)


@dataclass(frozen=True, slots=True)
class Record:
    """A record as the JSON that PostgreSQL wrote, and its ETag."""

    json: str
    etag: str


@dataclass(frozen=True, slots=True)
class PageOfRecords:
    """A page: `items` is the JSON array that PostgreSQL wrote.

    `last` is, where there are more, a JSON array of the last row's sort values; `next` the path
    that goes on there. `total` is None where nobody asked for it.
    """

    items: str
    limit: int
    last: str | None
    total: int | None
    number: int = 1
    next: str | None = None


@dataclass(frozen=True, slots=True)
class PageOfGroups:
    """A page of a summary, as `PageOfRecords`; `groups` counts those of all pages."""

    items: str
    last: str | None
    groups: int
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """One element of an array that was written, numbered from 1."""

    number: int
    id: int
    inserted: bool


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner that the registry names: who made the table, or who owned it next.

    Others own it by a grant, with the same rights.
    """

    sub: Sub
    label: str

    def goes_by(self, identifier: str) -> bool:
        """Whether it is the one that a caller means by an address, client id or subject."""
        return identifier.lower() == self.label.lower() or self.sub in (
            identifier,
            f"client:{identifier}",
        )


@dataclass(frozen=True, slots=True)
class Grant:
    """One subject's level on one table; `label` is the address or client id it was given by."""

    sub: Sub
    label: str
    level: Level
    granted_at: datetime


@dataclass(frozen=True)
class Table:
    """A user's table as one process knows it; `version` and `grants_version` say how fresh.

    `id` is the registry's own and stays for good; `oid` is PostgreSQL's at the time of looking,
    and another after a restore.
    """

    id: TableId
    oid: TableOid
    name: TableName
    version: int
    grants_version: int
    owner_sub: Sub
    owner_label: str
    description: str | None
    created_at: datetime
    estimated_rows: int
    columns: tuple[Column, ...]
    """System columns left out."""
    constraints: tuple[Constraint, ...]
    rule_constraints: tuple[RuleConstraint, ...] = ()
    grants: Mapping[Sub, Level] = field(default_factory=dict)
    inserts: dict[tuple[str, ...], str] = field(default_factory=dict, compare=False, repr=False)
    """Statements that insert one record of this version of the table, by the columns they name."""

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        """Every column that can be asked for, the system columns among them."""
        return {column.name: column for column in (ID, *self.columns, IMPORT, VERSION)}

    @cached_property
    def shown(self) -> tuple[Column, ...]:
        """What answers hold unless they are asked for something else."""
        return (ID, *self.columns)

    @cached_property
    def calls_user(self) -> bool:
        """Whether some column's default is who writes the row."""
        return any(column.default is DefaultCall.USER for column in self.columns)

    @cached_property
    def composite_keys(self) -> tuple[tuple[ColumnName, ...], ...]:
        """The unique keys of more than one column."""
        return tuple(each.columns for each in self.constraints if len(each.columns) > 1)

    def text_columns(self) -> Iterator[Column]:
        """The columns that `q` looks into."""
        return (column for column in self.columns if column.is_text)

    def level_of(self, caller: Caller) -> Level:
        """What the caller may do here: admins everything, the owner too, others by grant."""
        if caller.is_admin or caller.sub == self.owner_sub:
            return Level.OWNER
        return self.grants.get(caller.sub, Level.NONE)


def checked_name(name: str, *, of: str) -> str:
    """The name in NFC, if it may stand for a table or column; `of` names the input's field.

    NFC letters, digits and underscore, not beginning with a digit or underscore, at most 63
    bytes in UTF-8, not `id`. Raises InvalidInputError.
    """
    name = normalised(name)
    if reason := _objection(name):
        raise InvalidInputError.of(of, "invalid_name", f"{readable(name)!r} {reason}")
    return name


def normalised(name: str) -> str:
    """A name as it is stored; what cannot be UTF-8 stays unlike any stored name."""
    return unicodedata.normalize("NFC", name)


def _objection(name: str) -> str | None:
    if len(name) > IDENTIFIER_LIMIT_BYTES or len(name.encode(errors="replace")) > (
        IDENTIFIER_LIMIT_BYTES
    ):
        return f"is longer than {IDENTIFIER_LIMIT_BYTES} bytes; shorten it"
    if not name or name[0] == "_" or name[0].isdigit():
        return "does not begin with a letter"
    for place, character in enumerate(name):
        if not may_stand(character, first=place == 0):
            return f"holds {character!r}; only letters, digits and underscores may stand in a name"
    if name == ID_COLUMN:
        return "is the name of the column that every table has; choose another"
    if name in POSTGRESQL_COLUMNS:
        return "is a name that PostgreSQL keeps for itself; choose another"
    return None
