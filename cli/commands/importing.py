"""`tabularium import`: a file or another database into a table, watched to its end."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cli.answers import Import
from cli.errors import INTERRUPTED, UsageError
from cli.options import PASSWORD_VARIABLE, DatabaseAddress, mapping_of
from cli.outcome import report, watched
from cli.session import AsJson, Session, Url, examples, session
from cli.uploading import opened, submit

EXAMPLES = examples(
    "tabularium import customers.csv --table Customer",
    "tabularium import customers.csv.gz -t Customer --mode upsert --key email",
    "tabularium import new.csv -t New --create-table --dry-run",
    "tabularium import list.csv -t Customer --map 'Full name=name' --null-values NA,-",
    "export-from-crm | tabularium import - -t Customer --name crm.csv --json",
    "tabularium import --from-database postgresql://ann@db.example.com/shop \\",
    "    --source-table public.orders -t orders --create-table",
)
EXIT_CODES = """

Exit codes:
  0    every row was loaded
  1    failed, nothing was loaded
  2    the command does not fit together
  3    loaded, but some rows were rejected
  130  Ctrl-C; an import that was accepted goes on"""

OF_FILE = "How a file is read"
OF_DATABASE = "Another database in place of a file"
OF_ROWS = "What becomes of the rows"
OF_END = "At the end"


def import_rows(
    *,
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE",
            help="CSV, JSON or NDJSON, perhaps gzip or zstd; `-` reads standard input.",
            show_default=False,
        ),
    ] = None,
    table: Annotated[
        str | None, typer.Option("--table", "-t", help="The table that takes the rows.")
    ] = None,
    from_database: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Instead of a file: postgresql://user@host:5432/database,"
            " oracle://user@host:1521/service, or the id of a saved source. The password is"
            f" asked for, or taken from {PASSWORD_VARIABLE}.",
            rich_help_panel=OF_DATABASE,
        ),
    ] = None,
    source_table: Annotated[
        str | None,
        typer.Option(
            help="With --from-database: the table there, schema.name.", rich_help_panel=OF_DATABASE
        ),
    ] = None,
    query: Annotated[
        str | None,
        typer.Option(
            help="With --from-database: a query in place of a table.", rich_help_panel=OF_DATABASE
        ),
    ] = None,
    tls: Annotated[
        bool | None,
        typer.Option(
            "--tls/--no-tls",
            help="With --from-database: encrypted or not.",
            rich_help_panel=OF_DATABASE,
        ),
    ] = None,
    mode: Annotated[
        Literal["append", "upsert", "replace"],
        typer.Option(
            help="Add rows, update those of the same --key, or replace all.",
            rich_help_panel=OF_ROWS,
        ),
    ] = "append",
    key: Annotated[
        str | None,
        typer.Option(
            help="The unique column (or columns, with commas) of upsert.", rich_help_panel=OF_ROWS
        ),
    ] = None,
    on_error: Annotated[
        Literal["skip", "abort"],
        typer.Option(
            help="What one bad row does: it is left out, or nothing is loaded.",
            rich_help_panel=OF_ROWS,
        ),
    ] = "skip",
    max_errors: Annotated[
        int | None,
        typer.Option(min=0, help="Give up after so many bad rows.", rich_help_panel=OF_ROWS),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Do all of it, tell, and keep nothing.", rich_help_panel=OF_ROWS
        ),
    ] = False,
    create_table: Annotated[
        bool,
        typer.Option(
            "--create-table", help="Make the table from the file.", rich_help_panel=OF_ROWS
        ),
    ] = False,
    file_format: Annotated[
        Literal["auto", "csv", "json", "ndjson"],
        typer.Option("--format", help="What the file is.", rich_help_panel=OF_FILE),
    ] = "auto",
    delimiter: Annotated[
        str | None,
        typer.Option(help="Between CSV fields: one character, or `tab`.", rich_help_panel=OF_FILE),
    ] = None,
    quote: Annotated[
        str | None, typer.Option(help="Around CSV fields: one character.", rich_help_panel=OF_FILE)
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(help="The file's encoding, such as cp1252.", rich_help_panel=OF_FILE),
    ] = None,
    null_values: Annotated[
        str | None,
        typer.Option(
            help="Cells that mean NULL beside empty ones, with commas.", rich_help_panel=OF_FILE
        ),
    ] = None,
    date_format: Annotated[
        str | None,
        typer.Option(help="How dates are written, such as %d.%m.%Y.", rich_help_panel=OF_FILE),
    ] = None,
    mapping: Annotated[
        str | None,
        typer.Option(
            help="JSON: file column to table column, null to leave it out.", rich_help_panel=OF_ROWS
        ),
    ] = None,
    pairs: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            help="The same, one pair: 'Full name=name'; repeat it.",
            rich_help_panel=OF_ROWS,
        ),
    ] = None,
    email: Annotated[
        str | None, typer.Option(help="Mail this address at the end.", rich_help_panel=OF_END)
    ] = None,
    etl_name: Annotated[
        str | None,
        typer.Option(
            help="The name in the catalog; by default the file's.", rich_help_panel=OF_END
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="The file's name as the server shall know it.", rich_help_panel=OF_FILE),
    ] = None,
    rejects_to: Annotated[
        Path | None,
        typer.Option(
            "--rejects", help="Write the rejected rows to this CSV file.", rich_help_panel=OF_END
        ),
    ] = None,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait/--no-wait",
            help="Watch it to its end, or only submit it.",
            rich_help_panel=OF_END,
        ),
    ] = True,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Import a file, or another database's table, and tell which rows were refused and why."""
    if (file is None) == (from_database is None):
        raise UsageError("give either a FILE or --from-database")
    if table is None:
        raise UsageError("--table is missing: the table that takes the rows")
    common: dict[str, Any] = {
        "mode": mode,
        "key": key,
        "on_error": on_error,
        "max_errors": max_errors,
        "dry_run": dry_run,
        "create_table": create_table,
        "mapping": mapping_of(pairs or [], mapping) or None,
        "email": email,
        "etl_name": etl_name,
    }
    of_file = {
        "format": file_format,
        "delimiter": delimiter,
        "quote": quote,
        "encoding": encoding,
        "null_values": null_values,
        "date_format": date_format,
    }
    with session(url, as_json=as_json) as here:
        if file is not None:
            if source_table or query or tls is not None:
                raise UsageError("--source-table, --query and --tls go with --from-database")
            fields = _form({"table": table, **common, **of_file})
            accepted = _send_file(here, file, name=name, fields=fields)
        else:
            if any(value not in (None, "auto") for value in of_file.values()):
                raise UsageError("a database has no --format, --encoding and the like")
            address = DatabaseAddress.parsed(from_database or "")
            body = _database_body(
                address, table=table, source_table=source_table, query=query, tls=tls
            )
            body |= {name: value for name, value in common.items() if value not in (None, False)}
            accepted = _accepted(here, body)
        _finish(here, accepted, wait=wait, rejects_to=rejects_to)


def _send_file(here: Session, file: str, *, name: str | None, fields: dict[str, str]) -> Import:
    with opened(file, name=name) as upload, here.screen.progress(sending=True) as bar:
        task = bar.add_task(f"sending {upload.name}", total=upload.size_bytes)
        try:
            return submit(
                here.client,
                upload,
                fields=fields,
                tell=lambda sent_bytes: bar.update(task, completed=sent_bytes),
            )
        except KeyboardInterrupt:
            here.screen.err.print(
                "the upload was broken off: a file that is not whole is not imported;"
                " tabularium imports list shows what was accepted"
            )
            raise SystemExit(INTERRUPTED) from None


def _database_body(
    address: DatabaseAddress,
    *,
    table: str,
    source_table: str | None,
    query: str | None,
    tls: bool | None,
) -> dict[str, Any]:
    if (source_table is None) == (query is None):
        raise UsageError("--from-database wants --source-table or --query")
    body: dict[str, Any] = {"into": table}
    body |= {"table": source_table} if source_table is not None else {"query": query}
    if address.source_id is not None:
        return body | {"source_id": address.source_id}
    source: dict[str, Any] = {**address.fields, "password": address.password_or_ask()}
    if tls is not None:
        source["tls"] = tls
    return body | {"source": source}


def _accepted(here: Session, body: dict[str, Any]) -> Import:
    if isinstance(body.get("key"), str):
        body["key"] = [part.strip() for part in body["key"].split(",")]
    answer = here.client.send("POST", "/api/imports/database", body=body)
    return Import.model_validate_json(answer.content)


def _finish(here: Session, accepted: Import, *, wait: bool, rejects_to: Path | None) -> None:
    if not wait:
        if here.screen.as_json:
            here.screen.raw(here.client.get(accepted.links.self).text)
        else:
            here.screen.line(f"import {accepted.id} is {accepted.state}")
            here.screen.say(f"watch it: tabularium imports watch {accepted.id}")
        return
    here.screen.say(f"import {accepted.id} was accepted")
    over = watched(here, accepted)
    if code := report(here, over, rejects_to=rejects_to):
        raise typer.Exit(code)


def _form(options: dict[str, Any]) -> dict[str, str]:
    """Form fields are text; what was not given is left to the server's defaults."""
    fields: dict[str, str] = {}
    for name, value in options.items():
        if value is None or value is False:
            continue
        if value is True:
            fields[name] = "true"
        else:
            fields[name] = json.dumps(value) if isinstance(value, dict) else str(value)
    return fields
