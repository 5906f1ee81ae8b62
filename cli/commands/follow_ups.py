"""What comes after an import has landed or was rehearsed: `tabularium correct` and `commit`."""

from typing import Annotated

import typer

from cli import import_options as options
from cli.answers import Import
from cli.commands.importing import BROKEN_OFF, finish, sending
from cli.session import AsJson, Url, examples, session
from cli.uploading import opened, submit

ImportId = Annotated[int, typer.Argument(metavar="ID", min=1, help="The import's number.")]
Corrected = Annotated[
    str, typer.Argument(metavar="FILE", help="Its rejects, corrected; - for standard input.")
]
CORRECT_EXAMPLES = examples(
    "tabularium rejects 42 -o rejects.csv",
    "tabularium correct 42 rejects.csv   # after correcting it",
    "tabularium correct 42 rejects.xlsx",
)
COMMIT_EXAMPLES = examples(
    "tabularium import customers.csv -t Customer --dry-run",
    "tabularium commit 42   # the number of the dry run",
)


def correct(
    *,
    id_: ImportId,
    file: Corrected,
    file_format: options.FileFormat = "auto",
    delimiter: options.Delimiter = None,
    quote: options.Quote = None,
    encoding: options.Encoding = None,
    force_encoding: options.ForceEncoding = False,
    header_line: options.HeaderLine = None,
    record_path: options.RecordPath = None,
    sheet: options.Sheet = None,
    member: options.Member = None,
    name: options.FileName = None,
    rejects_to: options.RejectsTo = None,
    wait: options.Wait = True,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Load corrected rows as rows of the import that refused them; exit code as of `import`.

    Rows that are in already are skipped; those that are still wrong stay in its rejects.
    """
    given = {
        "format": file_format,
        "delimiter": delimiter,
        "quote": quote,
        "encoding": encoding,
        "force_encoding": "true" if force_encoding else None,
        "header_line": header_line,
        "record_path": record_path,
        "sheet": sheet,
        "member": member,
    }
    fields = {key: value for key, value in given.items() if value is not None}
    with session(url, as_json=as_json) as here:
        path = f"/api/imports/{id_}/corrections"
        with opened(file, name=name) as upload, sending(here, upload, BROKEN_OFF) as tell:
            accepted = submit(here.client, upload, fields=fields, tell=tell, path=path)
        finish(here, accepted, wait=wait, rejects_to=rejects_to)


def commit(
    *,
    id_: ImportId,
    rejects_to: options.RejectsTo = None,
    wait: options.Wait = True,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Load just the rows that a dry run judged; exit code as of `import`."""
    with session(url, as_json=as_json) as here:
        answer = here.client.send("POST", f"/api/imports/{id_}/commit")
        accepted = Import.model_validate_json(answer.content)
        finish(here, accepted, wait=wait, rejects_to=rejects_to)
