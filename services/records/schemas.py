"""Wire models that only this service uses."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import ConfigDict, Field, JsonValue, StrictBool

from services.records.domain import COLUMN_LIMIT, DefaultCall
from shared.contracts.base import AnswerModel, RequestModel
from shared.contracts.events import TableEventType
from shared.values.patterns import PATTERN_LIMIT
from shared.values.rules import ENUM_LIMIT, OnDelete


def _with_example(example: dict[str, JsonValue]) -> ConfigDict:
    # A model that sets its own configuration does not lose that of RequestModel.
    return ConfigDict(json_schema_extra={"examples": [example]})


ExactJson: TypeAlias = Any
"""Any JSON; numbers that a float would round are `Number`s, which Pydantic's own type loses."""
Key = Annotated[list[str], Field(min_length=2, max_length=32)]
KEYS_LIMIT = 100

LevelWord = Literal["viewer", "editor", "owner"]


class ReferenceRule(RequestModel):
    """Values are those of a unique column of a table that the caller may read."""

    table: str = Field(examples=["Country"])
    column: str = "id"
    on_delete: OnDelete = Field(
        OnDelete.RESTRICT, description="What becomes of a record whose reference is deleted."
    )


class Rules(RequestModel):
    """What values of a column must be, beyond its type; PostgreSQL holds them. NULL passes."""

    min: ExactJson = Field(None, description="For numbers, dates, times and timestamps.")
    max: ExactJson = None
    exclusive_min: ExactJson = None
    exclusive_max: ExactJson = None
    min_length: int | None = Field(None, ge=0, description="Characters of a text.")
    max_length: int | None = Field(None, ge=0)
    pattern: str | None = Field(
        None,
        max_length=PATTERN_LIMIT,
        description="A regular expression that is found somewhere in the text.",
        examples=["^[0-9]{5}$"],
    )
    enum: list[ExactJson] | None = Field(None, min_length=1, max_length=ENUM_LIMIT)
    references: ReferenceRule | None = None


class CallDefault(RequestModel):
    """A default that is called for each new record."""

    call: DefaultCall


class ColumnDefinition(RequestModel):
    """A column to be made."""

    name: str = Field(examples=["email"])
    type: str = Field(examples=["TEXT", "NUMERIC(10,2)", "TIMESTAMPTZ"])
    nullable: StrictBool = True
    unique: StrictBool = False
    default: ExactJson = Field(
        None,
        description='A literal of the column\'s type, or `{"call": …}` with now, today, uuid or'
        " user; null is none.",
    )
    description: str | None = Field(None, max_length=10_000)
    searchable: StrictBool = Field(
        default=False, description="Keep `q` and `icontains` fast on this text column (pg_trgm)."
    )
    rules: Rules | None = None


class NewTable(RequestModel):
    """`POST /api/tables`: either `columns` or `json_schema`."""

    model_config = _with_example(
        {
            "name": "Customer",
            "columns": [
                {"name": "name", "type": "TEXT", "nullable": False, "searchable": True},
                {
                    "name": "email",
                    "type": "TEXT",
                    "unique": True,
                    "rules": {"pattern": "^[^@ ]+@[^@ ]+$"},
                },
                {"name": "tier", "type": "TEXT", "rules": {"enum": ["basic", "plus"]}},
                {"name": "created_at", "type": "DATE", "default": {"call": "today"}},
            ],
            "description": "Everyone who ever bought something",
        }
    )

    name: str = Field(examples=["Customer"])
    columns: list[ColumnDefinition] | None = Field(None, max_length=COLUMN_LIMIT)
    json_schema: dict[str, ExactJson] | None = Field(
        None,
        description="A JSON Schema of a record, such as `GET /api/tables/{table}/schema` answers.",
    )
    unique: list[Key] = Field(
        [],
        max_length=KEYS_LIMIT,
        description="Keys of several columns, each unique.",
        examples=[[["station", "day"]]],
    )
    description: str | None = Field(None, max_length=10_000)


class ColumnChange(RequestModel):
    """A change of one column; what is left out stays as it is."""

    name: str
    rename: str | None = None
    type: str | None = None
    nullable: StrictBool | None = None
    unique: StrictBool | None = None
    default: ExactJson = None
    description: str | None = Field(None, max_length=10_000)
    searchable: StrictBool | None = None
    rules: Rules | None = Field(None, description="All rules of the column; null removes them.")


class UniqueChange(RequestModel):
    """Keys of several columns that come and go."""

    add: list[Key] = Field([], max_length=KEYS_LIMIT)
    drop: list[Key] = Field([], max_length=KEYS_LIMIT)


class TableChange(RequestModel):
    """`PATCH /api/tables/{table}`: all of it in one transaction, or nothing."""

    model_config = _with_example(
        {
            "add": [{"name": "age", "type": "SMALLINT"}],
            "alter": [{"name": "name", "rename": "full_name", "rules": {"max_length": 200}}],
            "unique": {"add": [["name", "created_at"]]},
        }
    )

    rename: str | None = None
    add: list[ColumnDefinition] = Field([], max_length=COLUMN_LIMIT)
    drop: list[str] = Field([], max_length=COLUMN_LIMIT)
    alter: list[ColumnChange] = Field([], max_length=COLUMN_LIMIT)
    unique: UniqueChange = UniqueChange()
    description: str | None = Field(None, max_length=10_000)


_shown_if_given: Any = Field(default=None, exclude_if=lambda value: value is None)


class ReferenceAnswer(AnswerModel):
    """What a column references."""

    table: str
    column: str
    on_delete: OnDelete


class RulesAnswer(AnswerModel):
    """The rules that a column has."""

    min: ExactJson = _shown_if_given
    max: ExactJson = _shown_if_given
    exclusive_min: ExactJson = _shown_if_given
    exclusive_max: ExactJson = _shown_if_given
    min_length: int | None = _shown_if_given
    max_length: int | None = _shown_if_given
    pattern: str | None = _shown_if_given
    enum: list[ExactJson] | None = _shown_if_given
    references: ReferenceAnswer | None = _shown_if_given


class ColumnAnswer(AnswerModel):
    """A column as it is."""

    name: str
    type: str
    nullable: bool
    unique: bool
    default: ExactJson
    description: str | None
    searchable: bool
    rules: RulesAnswer | None = _shown_if_given


class ConstraintAnswer(AnswerModel):
    """The primary key or a unique constraint."""

    name: str
    kind: Literal["primary_key", "unique"]
    columns: Sequence[str]


class TableAnswer(AnswerModel):
    """A table as it is; `columns` leaves out `id`, which every table has."""

    name: str
    columns: Sequence[ColumnAnswer]
    constraints: Sequence[ConstraintAnswer]
    unique: Sequence[Sequence[str]]
    """The unique keys of several columns."""
    ignored: Sequence[str] = Field(
        default=(),
        exclude_if=lambda value: not value,
        description="Keywords of a JSON Schema that could not be kept, with `unsupported=ignore`.",
    )
    estimated_rows: int
    owner: str
    level: LevelWord
    """What the caller may do here."""
    version: int
    description: str | None
    created_at: datetime


class TableMessage(AnswerModel):
    """The body of a webhook's message about a table; one that was deleted, as it last was."""

    type: TableEventType
    timestamp: datetime
    """When it happened; a message that is tried again keeps it."""
    data: TableAnswer


class GrantLevel(RequestModel):
    """`PUT /api/tables/{table}/grants/{email or client id}`."""

    model_config = _with_example({"level": "viewer"})

    level: LevelWord


class GrantAnswer(AnswerModel):
    """Who may do what."""

    subject: str
    identifier: str
    """The e-mail address or client id by which the grant was given."""
    level: LevelWord
    granted_at: datetime


class ManyAnswer(AnswerModel):
    """What became of an array of records; `ids` in the array's order, ignored ones left out."""

    inserted: int
    updated: int
    ids: Sequence[int]


class UpdatedAnswer(AnswerModel):
    """What a bulk change did."""

    updated: int


class DeletedAnswer(AnswerModel):
    """What a bulk delete did."""

    deleted: int


class RecordPage(AnswerModel):
    """One page of records; `total` is null unless it was asked for."""

    items: Sequence[dict[str, Any]]
    next: str | None
    total: int | None


class SummaryPage(AnswerModel):
    """One page of a summary; `groups` counts those of all pages."""

    items: Sequence[dict[str, Any]]
    next: str | None
    groups: int


class NumberedPage(AnswerModel):
    """One page of the verb face; `total` is exact."""

    items: Sequence[dict[str, Any]]
    page: int
    limit: int
    total: int


class CreateTableBody(RequestModel):
    """`POST /api/create-table/`."""

    model_config = _with_example(
        {
            "table_name": "Customer",
            "fields": {"name": "TEXT", "email": "TEXT UNIQUE", "created_at": "DATE"},
        }
    )

    table_name: str
    fields: dict[str, str] = Field(max_length=COLUMN_LIMIT)


class AddColumnBody(RequestModel):
    """`POST /api/add-column/`."""

    model_config = _with_example(
        {"table_name": "Customer", "column_name": "age", "column_type": "INTEGER"}
    )

    table_name: str
    column_name: str
    column_type: str


class DeleteTableBody(RequestModel):
    """`DELETE /api/delete-table/`."""

    model_config = _with_example({"table_name": "Customer"})

    table_name: str


class InsertRecordBody(RequestModel):
    """`POST /api/insert-record/`."""

    table_name: str
    data: dict[str, JsonValue]


class UpdateRecordBody(RequestModel):
    """`PUT /api/update-record/`: the named fields change."""

    table_name: str
    id: int
    data: dict[str, JsonValue]


class DeleteRecordBody(RequestModel):
    """`DELETE /api/delete-record/`."""

    model_config = _with_example({"table_name": "Customer", "id": 1})

    table_name: str
    id: int
