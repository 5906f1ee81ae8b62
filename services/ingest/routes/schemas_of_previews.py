"""Wire models of previews."""

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from services.ingest.answers import Format
from services.ingest.connections.domain import Selection, SourceQuery
from services.ingest.routes.reading_options import reading_options
from services.ingest.routes.schemas import Notices, OptionsForm
from services.ingest.routes.schemas_of_connections import source_table
from services.ingest.service.previews import Preview, PreviewWanted
from shared.contracts.base import AnswerModel, Id, StorableText


class PreviewForm(OptionsForm, Notices):
    """`POST /api/previews`."""

    table: Annotated[
        StorableText | None, Field(description="The table that would take the rows.")
    ] = None
    rows: Annotated[int, Field(ge=1, le=200, description="So many rows are shown.")] = 20

    def wanted(self) -> PreviewWanted:
        """What is asked for."""
        return PreviewWanted(self.options(), self.table, self.rows)


class PreviewBody(PreviewForm):
    """The same as JSON: of an upload, or of a table or query of a saved source."""

    upload: Annotated[UUID | None, Field(description="The id of an upload.")] = None
    source_id: Id | None = None
    query: Annotated[
        StorableText | None,
        Field(min_length=1, max_length=100_000, description="In the source's dialect."),
    ] = None
    into: Annotated[
        StorableText | None,
        Field(description="With `source_id`, where `table` is the source's: the table here."),
    ] = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.upload is None) == (self.source_id is None):
            raise PydanticCustomError("one_source", "send either `upload` or `source_id`")
        if self.source_id is None and (self.query is not None or self.into is not None):
            raise PydanticCustomError("one_source", "`query` and `into` go with `source_id`")
        if self.source_id is not None and (self.table is None) == (self.query is None):
            raise PydanticCustomError("table_or_query", "send either `table` or `query`")
        return self

    def wanted_of_source(self) -> PreviewWanted:
        """What is asked of a source, whose own table is not the one that takes the rows."""
        return PreviewWanted(self.options(), self.into, self.rows)

    def selection(self) -> Selection:
        """What is to be read of a source."""
        if self.query is not None:
            return SourceQuery(self.query)
        assert self.table is not None
        return source_table(self.table)


class PreviewColumn(AnswerModel):
    """A column of the file, and where it goes; counts are those of the rows that were read."""

    name: str | None
    """The table's column; None for one that goes nowhere."""
    source: str
    type: str | None
    because: str | None
    nulls: int
    distinct: int
    min: str | None
    max: str | None
    examples: tuple[str, ...]


class PreviewProblem(AnswerModel):
    """Something that would be refused; without a line it is about the file as a whole."""

    line: int | None
    column: str | None
    code: str
    message: str
    value: str | None


class PreviewTable(AnswerModel):
    """The file's columns against the table's."""

    matched: tuple[str, ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]


class PreviewAnswer(AnswerModel):
    """What a file is, and what would come of it; nothing was loaded."""

    format: Format | None
    upload: UUID | None
    """To import the same file by `upload`."""
    complete: bool
    """Whether these are all its rows; else the import may widen the types, and says so."""
    rows_read: int
    columns: tuple[PreviewColumn, ...]
    rows: tuple[tuple[str | None, ...], ...]
    """The first rows: cells as text, in the order of `columns`."""
    lines: tuple[int, ...]
    """The lines of `rows`."""
    problems: tuple[PreviewProblem, ...]
    """The first 100."""
    table: PreviewTable | None
    sheets: tuple[str, ...]
    members: tuple[str, ...]
    options: dict[str, Any]
    """What reads the file in exactly this way, to be sent back as it is."""


def preview_answer(preview: Preview) -> PreviewAnswer:
    """A preview as it is shown."""
    look = preview.look
    return PreviewAnswer(
        format=None if look.format is None else Format.of(look.format),
        upload=preview.upload,
        complete=look.complete,
        rows_read=look.rows_read,
        columns=tuple(
            PreviewColumn.of(column, type=None if column.type is None else column.type.spelled())
            for column in look.columns
        ),
        rows=look.rows,
        lines=look.lines,
        problems=tuple(PreviewProblem.of(problem) for problem in look.problems),
        table=None if look.table is None else PreviewTable.of(look.table),
        sheets=preview.sheets,
        members=preview.members,
        options=reading_options(preview.options, look.format, known=OptionsForm.model_fields),
    )
