"""`tabularium imports`: list, show, watch, cancel, retry; and `tabularium rejects`, `undo`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.answers import Import
from cli.arguments import Yes
from cli.client import Client, decoded
from cli.downloads import download
from cli.errors import FAILED
from cli.flattened import flattened
from cli.listing import Columns, all_items, show_items
from cli.outcome import report, watched
from cli.screen import plural
from cli.session import AsJson, Session, Url, View, examples, session, viewing

app = typer.Typer(no_args_is_help=True, help="Imports: list, show, watch, cancel, retry.")

ImportId = Annotated[int, typer.Argument(metavar="ID", min=1, help="The import's number.")]
LISTED = 25
COLUMNS: Columns[Import] = {
    "id": lambda run: run.id,
    "state": lambda run: run.state,
    "table": lambda run: run.table,
    "etl": lambda run: run.etl_name,
    "loaded": lambda run: run.rows.loaded,
    "rejected": lambda run: run.rows.rejected,
    "by": lambda run: run.submitted_by,
    "at": lambda run: f"{run.created_at.astimezone():%Y-%m-%d %H:%M}",
}


@app.command(
    "list",
    epilog=examples(
        "tabularium imports list --state failed --table Customer",
        "tabularium imports list --output csv --columns id,table,rows.rejected,error.code",
    ),
)
@flattened
def list_imports(
    *,
    state: Annotated[
        Literal["queued", "running", "succeeded", "failed", "cancelled"] | None,
        typer.Option(help="Only those in this state."),
    ] = None,
    table: Annotated[str | None, typer.Option(help="Only those into this table.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The newest so many.")] = LISTED,
    view: View,
) -> None:
    """List imports, the newest first."""
    filters = {"state": state, "table": table, "limit": str(limit)}
    params = {name: value for name, value in filters.items() if value is not None}
    with viewing(view) as here:
        answer = here.client.get("/api/imports", params)
        if here.screen.shape == "json" and view.picked is None:
            here.screen.raw(answer.text)
            return
        show_items(here.screen, decoded(answer)["items"], Import, COLUMNS, view=view)


@app.command()
def show(*, id_: ImportId, url: Url = None, as_json: AsJson = False) -> None:
    """Show how an import stands, with its first rejects; exit code as of `import`."""
    with session(url, as_json=as_json) as here:
        run = _import(here.client, id_)
        if run.is_over:
            _end(here, run)
            return
        if as_json:
            here.screen.raw(here.client.get(run.links.self).text)
            return
        here.screen.line(
            f"import {run.id} is {run.state}: {plural(run.rows.read, 'row')} read,"
            f" {run.rows.rejected:,} rejected"
        )


@app.command()
def watch(
    *,
    id_: ImportId,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Follow an import to its end; exit code as of `import`."""
    with session(url, as_json=as_json) as here:
        run = _import(here.client, id_)
        _end(here, run if run.is_over else watched(here, run))


@app.command()
def cancel(*, id_: ImportId, url: Url = None, as_json: AsJson = False) -> None:
    """Cancel an import that is waiting or running: nothing of it is loaded."""
    with session(url, as_json=as_json) as here:
        answer = here.client.send("POST", f"/api/imports/{id_}/cancel")
        if as_json:
            here.screen.raw(answer.text)
        here.screen.say(f"import {id_} is being cancelled")


@app.command()
def retry(
    *,
    id_: ImportId,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Watch it to its end, or only restart it.")
    ] = True,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Try a failed or cancelled import again, with the file that the server kept."""
    with session(url, as_json=as_json) as here:
        answer = here.client.send("POST", f"/api/imports/{id_}/retry")
        if not wait:
            if as_json:
                here.screen.raw(answer.text)
            here.screen.say(f"import {id_} is queued again")
            return
        _end(here, watched(here, _import(here.client, id_)))


def rejects(
    *,
    id_: ImportId,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The CSV file to write; standard output by default."),
    ] = None,
    excel_safe: Annotated[
        bool,
        typer.Option("--excel-safe", help="Neutralise formulas; only to look at, not to send."),
    ] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Get an import's rejected rows as CSV, to be corrected and sent by `correct`.

    With --json, the rejects as the server lists them, page after page.
    """
    with session(url, as_json=as_json) as here:
        if as_json:
            all_items(here.screen, list(here.client.items(f"/api/imports/{id_}/errors")))
            return
        params = [("excel_safe", "true")] if excel_safe else []
        size_bytes = download(here, f"/api/imports/{id_}/rejects", output, params=params)
        if output is not None and str(output) != "-":
            here.screen.say(f"{plural(size_bytes, 'byte')} in {output}")


REJECTS_EXAMPLES = examples(
    "tabularium rejects 42 -o rejects.csv",
    "tabularium correct 42 rejects.csv   # after correcting it",
)


def undo(
    *,
    id_: ImportId,
    edited: Annotated[
        Literal["refuse", "keep", "overwrite"],
        typer.Option(
            help="Records that were edited, deleted or overwritten since: refuse the undo, leave"
            " them as they are, or take them back, too."
        ),
    ] = "refuse",
    yes: Yes = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Take an import back: what it inserted goes, what it overwrote or removed comes back.

    All of it or nothing, with its corrections. Exit code as of `import`; 3 where records stay.
    """
    with session(url, as_json=as_json) as here:
        if not yes:
            run = _import(here.client, id_)
            into = f" into {run.table}" if run.table else ""
            changed = plural(run.rows.loaded, "row")
            if not typer.confirm(f"Undo import {id_}{into}, which loaded {changed}?", err=True):
                raise typer.Exit(FAILED)
        answer = here.client.send("POST", f"/api/imports/{id_}/undo", body={"edited": edited})
        _end(here, watched(here, Import.model_validate_json(answer.content)))


UNDO_EXAMPLES = examples(
    "tabularium undo 42",
    "tabularium undo 42 --edited keep --yes   # leave what was edited since",
)


def _import(client: Client, id_: int) -> Import:
    return Import.model_validate_json(client.get(f"/api/imports/{id_}").content)


def _end(here: Session, over: Import) -> None:
    if code := report(here, over):
        raise typer.Exit(code)
