"""`tabularium insert`, `update` and `delete`: records one by one, or all that filters select."""

from typing import Annotated, Any, Literal

import httpx2
import typer

from cli import completing
from cli.arguments import TableName, Where, Yes
from cli.client import decoded, part
from cli.errors import FAILED, CommandError, UsageError
from cli.options import assigned, filters_of, json_of
from cli.screen import plural
from cli.session import AsJson, Session, Url, examples, session

INSERT_EXAMPLES = examples(
    "tabularium insert Customer name=Ann email=ann@example.com 'tags:=[\"new\"]'",
    "tabularium insert Customer --records customers.json",
    "tabularium insert Customer name=Ann email=ann@example.com --on-conflict update --key email",
)
UPDATE_EXAMPLES = examples(
    "tabularium update Customer 7 city=Bern phone:=null",
    "tabularium update Customer --where city=Berne city=Bern --yes",
)
DELETE_EXAMPLES = examples(
    "tabularium delete Customer 7 8",
    "tabularium delete Customer --where created_at__lt=2020-01-01",
)

Values = typer.Argument(
    metavar="COLUMN=VALUE...",
    help="Texts, which are read by the column's type; COLUMN:=JSON for null and JSON.",
    autocompletion=completing.assignments,
)


def insert(
    *,
    table: TableName,
    values: Annotated[list[str] | None, Values] = None,
    records: Annotated[
        str | None,
        typer.Option(
            metavar="JSON",
            help="An object, or a list of up to 10,000, all or nothing: a file, `-`, or itself.",
        ),
    ] = None,
    on_conflict: Annotated[
        Literal["error", "ignore", "update"],
        typer.Option(help="A record whose --key is there already."),
    ] = "error",
    key: Annotated[
        str | None, typer.Option(help="The unique column, or columns with commas.")
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Insert a record, or a list of them; files of any size are for `import`."""
    if bool(values) == (records is not None):
        raise UsageError("give the record, as COLUMN=VALUE... or by --records")
    body = assigned(values or ()) if records is None else json_of(records, option="--records")
    params: dict[str, str | int] = {"on_conflict": on_conflict}
    if key is not None:
        params["key"] = key
    with session(url, as_json=as_json) as here:
        answer = here.client.send("POST", _path(table), body=body, params=params)
        if as_json:
            here.screen.raw(answer.text)
            return
        made = decoded(answer)
        if "ids" in made and isinstance(body, list):
            here.screen.line(f"{made['inserted']:,} inserted, {made['updated']:,} updated")
        else:
            _show(here, made)


def update(
    *,
    table: TableName,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[ID] COLUMN=VALUE...",
            help="The record's id (not with --where), and what changes; COLUMN:=JSON for null.",
            autocompletion=completing.assignments,
        ),
    ],
    where: Where = None,
    if_match: Annotated[
        str | None, typer.Option(help="Only if the record still has this ETag.")
    ] = None,
    yes: Yes = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Change the named columns of one record, or of all that --where selects."""
    if where:
        if if_match is not None:
            raise UsageError("--if-match goes with an ID")
        body, filters = assigned(words), filters_of(where)
        with session(url, as_json=as_json) as here:
            _confirm(here, table, filters, what="Change", yes=yes)
            answer = here.client.send("PATCH", _path(table), body=body, params=filters)
            _show_count(here, answer, "updated")
        return
    if not words[0].isdecimal() or len(words) == 1:
        raise UsageError("give an ID and COLUMN=VALUE..., or say which records by --where")
    headers = {} if if_match is None else {"If-Match": if_match}
    body = assigned(words[1:])
    with session(url, as_json=as_json) as here:
        path = f"{_path(table)}/{words[0]}"
        answer = here.client.send("PATCH", path, body=body, headers=headers)
        if as_json:
            here.screen.raw(answer.text)
            return
        _show(here, decoded(answer))


def delete(
    *,
    table: TableName,
    ids: Annotated[list[int] | None, typer.Argument(metavar="ID...", min=1)] = None,
    where: Where = None,
    yes: Yes = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Delete records by their ids, or all that --where selects."""
    if bool(ids) == bool(where):
        raise UsageError("say which records: by ID, or by --where")
    with session(url, as_json=as_json) as here:
        if ids is None:
            filters = filters_of(where or ())
            _confirm(here, table, filters, what="Delete", yes=yes)
        else:
            filters = [("id__in", ",".join(map(str, ids)))]
        answer = here.client.send("DELETE", _path(table), params=filters)
        _show_count(here, answer, "deleted")
        missing = 0 if ids is None else len(set(ids)) - decoded(answer)["deleted"]
        if missing:
            raise CommandError(f"{missing} of {len(set(ids or ()))} ids were not there")


def _confirm(
    here: Session, table: str, filters: list[tuple[str, str]], *, what: str, yes: bool
) -> None:
    """Ask before many records change; raises typer.Exit for no."""
    if yes:
        return
    params = [("limit", "1"), ("count", "exact"), *filters]
    count = decoded(here.client.get(_path(table), params))["total"]
    if not typer.confirm(f"{what} {plural(count, 'record')} of {table}?", err=True):
        raise typer.Exit(FAILED)


def _show(here: Session, record: dict[str, Any]) -> None:
    here.screen.table(list(record), [list(record.values())])


def _show_count(here: Session, answer: httpx2.Response, member: str) -> None:
    if here.screen.as_json:
        here.screen.raw(answer.text)
    else:
        here.screen.line(f"{plural(decoded(answer)[member], 'record')} {member}")


def _path(table: str) -> str:
    return f"/api/tables/{part(table)}/records"
