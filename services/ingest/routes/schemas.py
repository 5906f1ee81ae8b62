"""Wire models of the import service: what callers send as form fields, and what they get back."""

from dataclasses import replace
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    EmailStr,
    Field,
    PositiveInt,
    model_validator,
)
from pydantic_core import PydanticCustomError

from services.ingest.domain.options import (
    Edited,
    FileFormat,
    ImportKind,
    ImportOptions,
    Mode,
    OnBlank,
    OnDuplicate,
    OnError,
    OnNewColumn,
)
from services.ingest.domain.run import (
    ImportRequest,
)
from services.ingest.routes.cell_options import CellOptions
from services.ingest.service.corrections import CorrectedRow
from services.ingest.uploads.domain import UploadId
from shared.contracts.base import LARGEST_BIGINT, RequestModel, StorableText
from shared.errors import InvalidInputError
from shared.values.numbers import read_once

DELIMITER_LIMIT = 4
DELIMITER_NAMES = {
    "tab": "\t",
    "\\t": "\t",
    "space": " ",
    "comma": ",",
    "semicolon": ";",
    "pipe": "|",
}
MAPPING_EXAMPLE = '{"Full name": "name"}'
TYPES_EXAMPLE = '{"zip": "TEXT"}'


def _comma_separated(value: object) -> object:
    return value.split(",") if isinstance(value, str) else value


def _json(example: str) -> BeforeValidator:
    """JSON in a form's field; `example` is what a refusal shows."""

    def read(value: object) -> object:
        try:
            return read_once(value) if isinstance(value, str) else value
        except (ValueError, RecursionError) as exc:
            deep = isinstance(exc, RecursionError)
            raise PydanticCustomError(
                "json_invalid",
                "send a JSON object, for example {example}: {reason}",
                {"example": example, "reason": "it is nested too deeply" if deep else str(exc)},
            ) from exc

    return BeforeValidator(read)


def _delimiter(value: str) -> str:
    value = DELIMITER_NAMES.get(value, value)
    if not 1 <= len(value) <= DELIMITER_LIMIT or set(value) & set("\r\n\0"):
        raise PydanticCustomError(
            "invalid_delimiter",
            "send one to four characters, or tab, space, comma, semicolon or pipe",
        )
    return value


def _quote(value: str) -> str:
    if value != "none" and (len(value) != 1 or value in "\r\n\0" or not value.isascii()):
        raise PydanticCustomError("one_character", "send one character of ASCII, or `none`")
    return value


Delimiter = Annotated[str, AfterValidator(_delimiter)]
Quote = Annotated[str, AfterValidator(_quote)]
HeaderLine = Annotated[
    str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value),
    Field(pattern=r"^(auto|none|[1-9]\d{0,8})$"),
]  # fmt: skip
Name = Annotated[StorableText, Field(min_length=1, max_length=200)]
Names = Annotated[tuple[StorableText, ...], BeforeValidator(_comma_separated)]
Mapping = dict[StorableText, StorableText | None]
Types = dict[StorableText, StorableText]


class RowOptions(RequestModel):
    """What becomes of the rows, wherever they come from: in forms and in JSON bodies alike."""

    mode: Annotated[
        Mode, Field(description="Add rows, update those of the same `key`, or replace all.")
    ] = Mode.APPEND
    key: Annotated[Names, Field(description="With `mode=upsert`: the unique columns.")] = ()
    on_duplicate: Annotated[
        OnDuplicate,
        Field(
            description="With `mode=upsert`, several rows of one key: refuse all but the first,"
            " or take the first or the last."
        ),
    ] = OnDuplicate.REFUSE
    on_blank: Annotated[
        OnBlank,
        Field(description="With `mode=upsert`, an empty cell: clear the value, or keep it."),
    ] = OnBlank.CLEAR
    on_error: Annotated[
        OnError, Field(description="One bad row: leave it out, or load nothing.")
    ] = OnError.SKIP
    max_errors: Annotated[
        int | None,
        Field(ge=0, le=LARGEST_BIGINT, description="Give up after so many bad rows."),
    ] = None
    dry_run: Annotated[bool, Field(description="Do all of it, tell, and keep nothing.")] = False
    allow_empty: Annotated[
        bool, Field(description="With `mode=replace`: no rows empty the table.")
    ] = False
    create_table: Annotated[
        bool, Field(description="Make the table first, with types found in the rows.")
    ] = False
    on_new_column: Annotated[
        OnNewColumn,
        Field(
            description="A column that the table has not: refuse the file, leave it out, or add it"
            " to the table, nullable and with the type found in the rows."
        ),
    ] = OnNewColumn.REFUSE
    types: Annotated[
        Types,
        Field(
            description="With `create_table` or `on_new_column=add`: column to type, in place of"
            " what is found."
        ),
    ] = Field(default_factory=dict)
    mapping: Annotated[Mapping, Field(description="Column to table column; null drops it.")] = (
        Field(default_factory=dict)
    )

    @model_validator(mode="after")
    def _upsert_has_a_key(self) -> Self:
        if (self.mode is Mode.UPSERT) != bool(self.key):
            raise PydanticCustomError(
                "key_and_mode", "`key` names the columns of `mode=upsert`; send both or neither"
            )
        merges = self.on_duplicate is not OnDuplicate.REFUSE or self.on_blank is not OnBlank.CLEAR
        if merges and self.mode is not Mode.UPSERT:
            raise PydanticCustomError(
                "upsert_only", "`on_duplicate` and `on_blank` go with `mode=upsert`"
            )
        makes = self.create_table or self.on_new_column is OnNewColumn.ADD
        if self.types and not makes:
            raise PydanticCustomError(
                "create_table_only",
                "`types` are those of columns that `create_table` or `on_new_column=add` makes",
            )
        return self

    def options(self) -> ImportOptions:
        """The options; who is mailed and what the catalog names is no part of them."""
        return ImportOptions(
            mode=self.mode,
            key=tuple(name.strip() for name in self.key),
            on_duplicate=self.on_duplicate,
            on_blank=self.on_blank,
            on_error=self.on_error,
            max_errors=self.max_errors,
            dry_run=self.dry_run,
            allow_empty=self.allow_empty,
            create_table=self.create_table,
            on_new_column=self.on_new_column,
            types=self.types,
            mapping=self.mapping,
        )


class Notices(RequestModel):
    """Who and what hears of an import."""

    email: Annotated[EmailStr | None, Field(description="Who is mailed at the end.")] = None
    etl_name: Annotated[
        Name | None,
        Field(description="The name in the catalog; by default the file's or the source's own."),
    ] = None


class PlaceOptions(RequestModel):
    """Where the rows are in a file, and in which format it is."""

    format: Annotated[
        FileFormat, Field(description="The file's format; auto goes by its bytes and its name.")
    ] = FileFormat.AUTO
    delimiter: Annotated[
        Delimiter | None,
        Field(description="Between CSV fields: one to four characters, or `tab`, `pipe` …"),
    ] = None
    quote: Annotated[
        Quote | None, Field(description="Around CSV fields; `none`: there are none.")
    ] = None
    encoding: Annotated[
        StorableText | None, Field(description="For example `cp1252`; Unicode is found by itself.")
    ] = None
    force_encoding: Annotated[
        bool, Field(description="Read by `encoding` even if the file is in UTF-8.")
    ] = False
    header_line: Annotated[
        HeaderLine,
        Field(description="The line of the header: found by itself, a number, or `none`."),
    ] = "auto"
    record_path: Annotated[
        StorableText | None,
        Field(description="Of a JSON document: where the records are, as in `data.items`."),
    ] = None
    sheet: Annotated[
        StorableText | None,
        Field(description="Of a workbook: the sheet's name, or its number from 1."),
    ] = None
    member: Annotated[
        StorableText | None, Field(description="Of an archive: the name of the file in it.")
    ] = None

    def place(self) -> ImportOptions:
        """How the rows are found, whatever becomes of them."""
        return ImportOptions(
            format=self.format,
            delimiter=self.delimiter,
            quote=self.quote,
            encoding=self.encoding,
            force_encoding=self.force_encoding,
            header_line=self.header_line,
            record_path=self.record_path,
            sheet=self.sheet,
            member=self.member,
        )


class CorrectionForm(PlaceOptions):
    """`POST /api/imports/{id}/corrections` with a file."""

    def options(self) -> ImportOptions:
        """How the corrected file is read; how its cells are, the first import's options say."""
        return self.place()


class RowCorrection(RequestModel):
    """A refused row, by its line."""

    line: Annotated[int, Field(ge=0, le=LARGEST_BIGINT, description="As in `/errors`.")]
    values: Annotated[
        dict[StorableText, Any],
        Field(
            min_length=1,
            description="Column to value; what is left out stays as it was in the file.",
        ),
    ]


class RowCorrections(RequestModel):
    """`POST /api/imports/{id}/corrections` as JSON."""

    rows: Annotated[tuple[RowCorrection, ...], Field(min_length=1, max_length=10_000)]

    def corrected(self) -> list[CorrectedRow]:
        """The rows, as the service takes them."""
        return [CorrectedRow(row.line, row.values) for row in self.rows]


class OptionsForm(RowOptions, PlaceOptions, CellOptions):
    """The options of a file, as form fields give them: all of them text."""

    footer_lines: Annotated[
        int, Field(ge=0, le=10_000, description="So many last lines are left out.")
    ] = 0
    fill_short: Annotated[bool, Field(description="Missing last cells are NULL.")] = False
    escape: Annotated[
        Literal["none", "backslash"],
        Field(description="Whether a backslash takes the meaning from the character behind it."),
    ] = "none"
    comment: Annotated[
        StorableText | None,
        Field(min_length=1, max_length=4, description="Lines that begin with it are left out."),
    ] = None
    trim: Annotated[
        Literal["auto", "all", "none"],
        Field(description="Blanks around delimiters and quotes: auto, where all rows have them."),
    ] = "auto"
    null_values: Annotated[
        Names, Field(description="Cells that mean NULL, beside empty ones: `NA,-`.")
    ] = ()
    types: Annotated[
        Types,
        _json(TYPES_EXAMPLE),
        Field(description=f"With `create_table`: column to type: `{TYPES_EXAMPLE}`."),
    ] = Field(default_factory=dict)
    mapping: Annotated[
        Mapping,
        _json(MAPPING_EXAMPLE),
        Field(description=f"File column to table column, null drops it: `{MAPPING_EXAMPLE}`."),
    ] = Field(default_factory=dict)

    def options(self) -> ImportOptions:
        """As of any rows, and how the file is read."""
        return replace(
            super().options(),
            format=self.format,
            delimiter=self.delimiter,
            quote=self.quote,
            encoding=self.encoding,
            force_encoding=self.force_encoding,
            header_line=self.header_line,
            footer_lines=self.footer_lines,
            fill_short=self.fill_short,
            escape=self.escape,
            comment=self.comment,
            trim=self.trim,
            null_values=self.null_values,
            date_format=self.date_format,
            century_from=self.century_from,
            decimal=None if self.decimal == "auto" else self.decimal,
            thousands=self.thousands,
            numbers=self.numbers,
            record_path=self.record_path,
            sheet=self.sheet,
            member=self.member,
        )


class ImportForm(OptionsForm, Notices):
    """`POST /api/imports`."""

    table: Annotated[
        StorableText, Field(min_length=1, description="The table that takes the rows.")
    ]

    def request(self) -> ImportRequest:
        """The import that is asked for."""
        return ImportRequest(
            kind=ImportKind.FILE,
            options=self.options(),
            table=self.table,
            etl_name=self.etl_name,
            email=self.email,
        )


class UploadImport(ImportForm):
    """`POST /api/imports` as JSON."""

    upload: Annotated[
        UUID | None, Field(description="The id of a file that was uploaded before.")
    ] = None

    def upload_id(self) -> UploadId:
        """The upload; raises InvalidInputError where none is named."""
        if self.upload is None:
            raise InvalidInputError.of("file", "missing", "send a file, or name an `upload`")
        return UploadId(self.upload)


class UndoRequest(RequestModel):
    """`POST /api/imports/{id}/undo`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"edited": "refuse"}]})

    edited: Annotated[
        Edited,
        Field(
            description="Records that were edited, deleted or overwritten since: refuse the undo,"
            " leave them as they are, or take them back, too."
        ),
    ] = Edited.REFUSE


class UploadCsvForm(RequestModel):
    """`POST /api/upload-csv/`, the call of the older system."""

    table_name: Annotated[
        StorableText, Field(min_length=1, description="The table that takes the rows.")
    ]
    email: Annotated[EmailStr | None, Field(description="Who is mailed at the end.")] = None


class CatalogFileForm(RequestModel):
    """`POST /api/data/file/`, the call of the older system."""

    email: EmailStr | None = None


Limit = Annotated[PositiveInt, Field(le=1000)]
