"""`tabularium import`: a file or another database into a table, watched to its end."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer

from cli import import_options as options
from cli.answers import Import
from cli.commands.feeds import save_as as save_feed
from cli.commands.previewing import looked_at
from cli.errors import FAILED, INTERRUPTED, UsageError
from cli.file_options import FileOptions, form
from cli.options import DatabaseAddress, mapping_of, types_of
from cli.outcome import report, watched
from cli.resuming import RESUMABLE_FROM_BYTES, Notes, send_resumably
from cli.session import AsJson, Session, Url, examples, session
from cli.uploading import Tell, Upload, opened, submit, submit_upload

EXAMPLES = examples(
    "tabularium import customers.csv --table Customer",
    "tabularium import customers.csv.gz -t Customer --mode upsert --key email",
    "tabularium import new.csv -t New --create-table --dry-run",
    "tabularium import sheet.xlsx -t Customer --look",
    "tabularium import list.csv -t Customer --map 'Full name=name' --null-values NA,-",
    "export-from-crm | tabularium import - -t Customer --name crm.csv --json",
    "tabularium import --from-database postgresql://ann@db.example.com/shop \\",
    "    --source-table public.orders -t orders --create-table",
)
UPLOADS = "uploads.json"
BROKEN_OFF = (
    "the upload was broken off: a file that is not whole is not imported;"
    " tabularium imports list shows what was accepted"
)
GOES_ON = "the upload was broken off; the same command goes on with it, for a day"
EXIT_CODES = """

Exit codes:
  0    every row was loaded
  1    failed, nothing was loaded
  2    the command does not fit together
  3    loaded, but some rows were rejected
  130  Ctrl-C; an import that was accepted goes on"""


@dataclass(frozen=True)
class RowOptions:
    """What becomes of the rows, by the API's names; None and False were not given."""

    mode: str
    key: str | None
    on_duplicate: str | None
    on_blank: str | None
    on_error: str
    max_errors: int | None
    dry_run: bool
    allow_empty: bool
    create_table: bool
    on_new_column: str | None
    types: dict[str, str] | None
    mapping: dict[str, str | None] | None
    email: str | None
    etl_name: str | None

    def fields(self) -> dict[str, Any]:
        """What was given; the server knows the defaults of the rest."""
        # `in (None, False)` would leave out `--max-errors 0`.
        return {
            name: value
            for name, value in asdict(self).items()
            if value is not None and value is not False
        }


def import_rows(
    *,
    file: options.File = None,
    table: options.TableOption = None,
    from_database: options.FromDatabase = None,
    source_table: options.SourceTable = None,
    query: options.Query = None,
    tls: options.Tls = None,
    mode: options.Mode = "append",
    key: options.Key = None,
    on_duplicate: options.OnDuplicate = None,
    on_blank: options.OnBlank = None,
    on_error: options.OnError = "skip",
    max_errors: options.MaxErrors = None,
    dry_run: options.DryRun = False,
    allow_empty: options.AllowEmpty = False,
    create_table: options.CreateTable = False,
    file_format: options.FileFormat = "auto",
    delimiter: options.Delimiter = None,
    quote: options.Quote = None,
    encoding: options.Encoding = None,
    force_encoding: options.ForceEncoding = False,
    header_line: options.HeaderLine = None,
    footer_lines: options.FooterLines = None,
    fill_short: options.FillShort = False,
    escape: options.Escape = None,
    comment: options.Comment = None,
    trim: options.Trim = None,
    null_values: options.NullValues = None,
    date_format: options.DateFormat = None,
    century_from: options.CenturyFrom = None,
    decimal: options.Decimal = None,
    thousands: options.Thousands = None,
    numbers: options.Numbers = "plain",
    record_path: options.RecordPath = None,
    sheet: options.Sheet = None,
    member: options.Member = None,
    on_new_column: options.OnNewColumn = None,
    types: options.Types = None,
    mapping: options.Mapping = None,
    pairs: options.Pairs = None,
    email: options.Email = None,
    etl_name: options.EtlName = None,
    name: options.FileName = None,
    rejects_to: options.RejectsTo = None,
    save_as: options.SaveAs = None,
    look: options.Look = False,
    wait: options.Wait = True,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Import a file, or another database's table, and show which rows were refused and why."""
    if table is None:
        raise UsageError("--table is missing: the table that takes the rows")
    if save_as is not None and (dry_run or not wait):
        raise UsageError("--save-as makes a feed of an import that succeeded: it is waited for")
    rows = RowOptions(
        mode=mode,
        key=key,
        on_duplicate=on_duplicate,
        on_blank=on_blank,
        on_error=on_error,
        max_errors=max_errors,
        dry_run=dry_run,
        allow_empty=allow_empty,
        create_table=create_table,
        on_new_column=on_new_column,
        types=types_of(types or []) or None,
        mapping=mapping_of(pairs or [], mapping) or None,
        email=email,
        etl_name=etl_name,
    )
    reading = FileOptions(
        format=file_format,
        delimiter=delimiter,
        quote=quote,
        encoding=encoding,
        force_encoding=force_encoding,
        header_line=header_line,
        footer_lines=footer_lines,
        fill_short=fill_short,
        escape=escape,
        comment=comment,
        trim=trim,
        null_values=null_values,
        date_format=date_format,
        century_from=century_from,
        decimal=decimal,
        thousands=thousands,
        numbers=None if numbers == "plain" else numbers,
        record_path=record_path,
        sheet=sheet,
        member=member,
    )
    place = Place(source_table=source_table, query=query, tls=tls)
    with session(url, as_json=as_json) as here:
        if file is not None and from_database is None:
            place.must_be_unset()
            fields = {"table": table, **rows.fields(), **reading.fields()}
            accepted = _send_file(here, file, name=name, fields=fields, look=look)
        elif file is None and from_database is not None:
            if name is not None or look:
                raise UsageError("a database has no --name, --look, --encoding and the like")
            reading.must_be_unset()
            address = DatabaseAddress.parsed(from_database)
            accepted = _accepted(here, _body(address, place, into=table, rows=rows))
        else:
            raise UsageError("give either a FILE or --from-database")
        finish(here, accepted, wait=wait, rejects_to=rejects_to, save_as=save_as)


@dataclass(frozen=True)
class Place:
    """Where in a database the rows are, and how it is spoken to."""

    source_table: str | None
    query: str | None
    tls: bool | None

    def must_be_unset(self) -> None:
        """Raises UsageError unless nothing of this was given, as for a file."""
        if self.source_table or self.query or self.tls is not None:
            raise UsageError("--source-table, --query and --tls go with --from-database")

    def fields(self) -> dict[str, str]:
        """The table or the query, as the API has it; raises UsageError unless it is one."""
        if self.source_table is not None and self.query is None:
            return {"table": self.source_table}
        if self.query is not None and self.source_table is None:
            return {"query": self.query}
        raise UsageError("--from-database wants --source-table or --query")


def _send_file(
    here: Session, file: str, *, name: str | None, fields: dict[str, Any], look: bool
) -> Import:
    if look and (file == "-" or here.screen.as_json):
        raise UsageError("--look shows a file to a person: give a file, and no --json")
    with opened(file, name=name) as upload:
        size_bytes = upload.size_bytes or 0
        if not look and size_bytes < RESUMABLE_FROM_BYTES:
            with sending(here, upload, BROKEN_OFF) as tell:
                return submit(here.client, upload, fields=form(fields), tell=tell)
        notes = Notes(here.store.folder / UPLOADS)
        with sending(here, upload, GOES_ON) as tell:
            upload_id = send_resumably(here.client, upload, notes=notes, tell=tell)
    if look:
        looked_at(here, upload_id, fields)
        if not typer.confirm("Import it?", err=True):
            here.screen.say("nothing was imported")
            raise typer.Exit(FAILED)
    return submit_upload(here.client, upload_id, fields=fields)


@contextmanager
def sending(here: Session, upload: Upload, broken_off: str) -> Iterator[Tell]:
    """A bar that shows how much has been sent, and what is said after Ctrl-C."""
    with here.screen.progress(sending=True) as bar:
        task = bar.add_task(f"sending {upload.name}", total=upload.size_bytes)
        try:
            yield lambda sent_bytes: bar.update(task, completed=sent_bytes)
        except KeyboardInterrupt:
            here.screen.err.print(broken_off)
            raise SystemExit(INTERRUPTED) from None


def _body(address: DatabaseAddress, place: Place, *, into: str, rows: RowOptions) -> dict[str, Any]:
    """What `POST /api/imports/database` takes; asks for the password unless it is known."""
    body: dict[str, Any] = {"into": into, **place.fields(), **rows.fields()}
    if isinstance(body.get("key"), str):
        body["key"] = [part.strip() for part in body["key"].split(",")]
    if address.source_id is not None:
        return body | {"source_id": address.source_id}
    source: dict[str, Any] = {**address.fields, "password": address.password_or_ask()}
    if place.tls is not None:
        source["tls"] = place.tls
    return body | {"source": source}


def _accepted(here: Session, body: dict[str, Any]) -> Import:
    answer = here.client.send("POST", "/api/imports/database", body=body)
    return Import.model_validate_json(answer.content)


def finish(
    here: Session,
    accepted: Import,
    *,
    wait: bool,
    rejects_to: Path | None,
    save_as: str | None = None,
) -> None:
    """Watch an import to its end and say how it ended; raises typer.Exit with the exit code."""
    if not wait:
        if here.screen.as_json:
            here.screen.raw(here.client.get(accepted.links.self).text)
        else:
            here.screen.line(f"import {accepted.id} is {accepted.state}")
            here.screen.say(f"watch it: tabularium imports watch {accepted.id}")
        return
    here.screen.say(f"import {accepted.id} was accepted")
    over = watched(here, accepted)
    code = report(here, over, rejects_to=rejects_to)
    if save_as is not None and over.state == "succeeded":
        save_feed(here, save_as, over.id)
    if code:
        raise typer.Exit(code)
