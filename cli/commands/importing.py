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
from cli.flattened import flattened
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


@dataclass(frozen=True, kw_only=True)
class RowOptions:
    """What becomes of the rows, by the API's names but for `pairs`."""

    mode: options.Mode = "append"
    key: options.Key = None
    on_duplicate: options.OnDuplicate = None
    on_blank: options.OnBlank = None
    on_error: options.OnError = "skip"
    max_errors: options.MaxErrors = None
    dry_run: options.DryRun = False
    allow_empty: options.AllowEmpty = False
    create_table: options.CreateTable = False
    on_new_column: options.OnNewColumn = None
    types: options.Types = None
    mapping: options.Mapping = None
    pairs: options.Pairs = None
    email: options.Email = None
    etl_name: options.EtlName = None

    def fields(self) -> dict[str, Any]:
        """What was given; the server knows the defaults of the rest. Raises UsageError."""
        typed = {name: value for name, value in asdict(self).items() if name != "pairs"}
        typed["types"] = types_of(self.types or []) or None
        typed["mapping"] = mapping_of(self.pairs or [], self.mapping) or None
        # `in (None, False)` would leave out `--max-errors 0`.
        return {
            name: value for name, value in typed.items() if value is not None and value is not False
        }


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where in a database the rows are, and how it is spoken to."""

    source_table: options.SourceTable = None
    query: options.Query = None
    tls: options.Tls = None

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


@flattened
def import_rows(
    *,
    file: options.File = None,
    table: options.TableOption = None,
    from_database: options.FromDatabase = None,
    place: Place,
    rows: RowOptions,
    reading: FileOptions,
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
    if save_as is not None and (rows.dry_run or not wait):
        raise UsageError("--save-as makes a feed of an import that succeeded: it is waited for")
    fields = rows.fields()
    with session(url, as_json=as_json) as here:
        if file is not None and from_database is None:
            place.must_be_unset()
            of_file = {"table": table, **fields, **reading.fields()}
            accepted = _send_file(here, file, name=name, fields=of_file, look=look)
        elif file is None and from_database is not None:
            if name is not None or look:
                raise UsageError("a database has no --name, --look, --encoding and the like")
            reading.must_be_unset()
            address = DatabaseAddress.parsed(from_database)
            accepted = _accepted(here, _body(address, place, into=table, rows=fields))
        else:
            raise UsageError("give either a FILE or --from-database")
        finish(here, accepted, wait=wait, rejects_to=rejects_to, save_as=save_as)


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


def _body(
    address: DatabaseAddress, place: Place, *, into: str, rows: dict[str, Any]
) -> dict[str, Any]:
    """What `POST /api/imports/database` takes; asks for the password unless it is known."""
    body: dict[str, Any] = {"into": into, **place.fields(), **rows}
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
