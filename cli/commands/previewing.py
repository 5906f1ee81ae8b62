"""`tabularium preview`: what a file is and what would come of it, before anything is loaded."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer
from pydantic import BaseModel

from cli import import_options as options
from cli.errors import UsageError
from cli.file_options import FileOptions, form
from cli.flattened import flattened
from cli.session import AsJson, Session, Url, session
from cli.uploading import opened

EXAMPLES = """Examples:

  tabularium preview people.xlsx
  tabularium preview people.csv --table Customer --delimiter ';'"""
LONGEST_EVIDENCE = 60
NOT_OF_A_LOOK = frozenset({"dry_run", "max_errors", "allow_empty", "email", "etl_name"})
"""What says nothing of how a file is read."""

Rows = Annotated[int, typer.Option(min=1, max=200, help="Show so many rows.")]
File = Annotated[str, typer.Argument(metavar="FILE", help="The file to look at.")]
PreviewTable = Annotated[
    str | None, typer.Option("--table", "-t", help="Compare it with this table.")
]


class Column(BaseModel):
    """A column of the file, as the server sees it."""

    name: str | None
    source: str
    type: str | None
    because: str | None
    nulls: int
    distinct: int


class Problem(BaseModel):
    """Something that would be refused."""

    line: int | None
    column: str | None
    code: str
    message: str


class Preview(BaseModel):
    """What the server says of the file."""

    format: dict[str, object] | None
    complete: bool
    rows_read: int
    columns: list[Column]
    rows: list[list[str | None]]
    lines: list[int]
    problems: list[Problem]
    options: dict[str, object]


@flattened
def preview(
    *,
    file: File,
    table: PreviewTable = None,
    rows: Rows = 20,
    reading: FileOptions,
    name: options.FileName = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Look at a file before it lands: its format, its columns, its rows, what would be refused."""
    if file == "-":
        raise UsageError("standard input cannot be looked at: give a file")
    given = {"rows": rows, **({} if table is None else {"table": table}), **reading.fields()}
    with session(url, as_json=as_json) as here, opened(file, name=name) as upload:
        answer = here.client.send(
            "POST",
            "/api/previews",
            data=form(given),
            files={"file": (upload.name, upload.content, "application/octet-stream")},
        )
        if as_json:
            here.screen.raw(answer.text)
        else:
            _show(here, Preview.model_validate_json(answer.content))


def looked_at(here: Session, upload_id: str, fields: Mapping[str, object]) -> None:
    """Show an upload as an import with these fields would read it."""
    of_table = {"table"} if fields.get("create_table") else set()
    body = {name: fields[name] for name in fields.keys() - NOT_OF_A_LOOK - of_table}
    answer = here.client.send("POST", "/api/previews", body={**body, "upload": upload_id})
    _show(here, Preview.model_validate_json(answer.content))


def _show(here: Session, seen: Preview) -> None:
    screen = here.screen
    facts = [f"{name} {value}" for name, value in (seen.format or {}).items() if value]
    if facts:
        screen.line(", ".join(facts))
    head = "all of it" if seen.complete else "the head of it"
    screen.line(f"{seen.rows_read:,} rows read, {head}")
    screen.table(
        ["column", "type", "blank", "distinct", "because"],
        [
            [_shown(column), column.type or "", column.nulls, column.distinct, _short(column)]
            for column in seen.columns
        ],
    )
    screen.table(["line", *(column.source for column in seen.columns)], _numbered(seen))
    if seen.problems:
        screen.table(
            ["line", "column", "code", "message"],
            [
                ["" if each.line is None else each.line, each.column or "", each.code, each.message]
                for each in seen.problems
            ],
            title="what would be refused",
        )


def _numbered(seen: Preview) -> Sequence[Sequence[object]]:
    return [[line, *row] for line, row in zip(seen.lines, seen.rows, strict=True)]


def _shown(column: Column) -> str:
    if column.name is None:
        return f"({column.source})"
    return column.name if column.name == column.source else f"{column.name} ← {column.source}"


def _short(column: Column) -> str:
    return (column.because or "")[:LONGEST_EVIDENCE]
