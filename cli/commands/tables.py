"""`tabularium tables`: list, show, create, change, drop."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.answers import Column, Table
from cli.client import Client, decoded, part
from cli.errors import UsageError
from cli.listing import Columns, listing
from cli.screen import Screen
from cli.session import AsJson, Url, examples, session

app = typer.Typer(no_args_is_help=True, help="Tables: list, show, create, change, drop.")

TableName = Annotated[str, typer.Argument(metavar="TABLE", help="The table's name.")]


COLUMNS: Columns[Table] = {
    "table": lambda table: table.name,
    "columns": lambda table: len(table.columns),
    "rows (estimated)": lambda table: table.estimated_rows,
    "owner": lambda table: table.owner,
    "description": lambda table: table.description,
}


@app.command("list")
def list_tables(*, url: Url = None, as_json: AsJson = False) -> None:
    """List the tables that you may see."""
    with session(url, as_json=as_json) as here:
        listing(here, "/api/tables", Table, COLUMNS)


@app.command()
def show(*, table: TableName, url: Url = None, as_json: AsJson = False) -> None:
    """Show a table's columns, their rules and its keys of several columns."""
    with session(url, as_json=as_json) as here:
        answer = here.client.get(f"/api/tables/{part(table)}")
        if as_json:
            here.screen.raw(answer.text)
            return
        _print(here.screen, Table.model_validate(decoded(answer)))


@app.command(
    epilog=examples(
        "tabularium tables create Customer name:TEXT 'email:TEXT UNIQUE' created_at:DATE",
        "tabularium tables create Customer --columns columns.json",
        """tabularium tables create Tag --columns '[{"name": "tag", "type": "TEXT"}]'""",
        "tabularium tables create Customer --json-schema customer.schema.json",
        "tabularium tables create Ads day:DATE campaign:TEXT clicks:INT --unique day,campaign",
    )
)
def create(
    *,
    table: TableName,
    columns: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="COLUMN...",
            help="name:TYPE, the type perhaps followed by UNIQUE, NOT NULL, DEFAULT <literal>,"
            " or now(), today(), uuid() or user().",
        ),
    ] = None,
    columns_json: Annotated[
        str | None,
        typer.Option("--columns", help="A JSON list of columns: a file, `-`, or the JSON itself."),
    ] = None,
    json_schema: Annotated[
        str | None,
        typer.Option("--json-schema", help="A JSON Schema of a record: a file, `-`, or itself."),
    ] = None,
    unsupported: Annotated[
        str | None,
        typer.Option(help="`ignore`: leave out what no column can keep of a JSON Schema."),
    ] = None,
    unique: Annotated[
        list[str] | None,
        typer.Option(help="Columns that are unique together, with commas; may be repeated."),
    ] = None,
    description: Annotated[str | None, typer.Option(help="What the table is for.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Create a table from columns, given here, as a JSON list, or as a JSON Schema."""
    ways = [way for way in (columns, columns_json, json_schema) if way]
    if len(ways) != 1:
        raise UsageError("give the columns once: as COLUMN..., --columns or --json-schema")
    with session(url, as_json=as_json) as here:
        keys = [[name.strip() for name in key.split(",")] for key in unique or ()]
        if columns:
            made = _create_from_words(here.client, table, columns, keys, description)
        else:
            body: dict[str, Any] = {"name": table, "unique": keys}
            if columns_json:
                body["columns"] = _json_of(columns_json, option="--columns")
            else:
                body["json_schema"] = _json_of(json_schema or "", option="--json-schema")
            if description is not None:
                body["description"] = description
            query = {} if unsupported is None else {"unsupported": unsupported}
            made = here.client.send("POST", "/api/tables", body=body, params=query).text
        if as_json:
            here.screen.raw(made)
            return
        _print(here.screen, Table.model_validate_json(made))


@app.command(
    epilog=examples(
        """tabularium tables change Ads '{"unique": {"add": [["day", "campaign"]]}}'""",
        """tabularium tables change Ads '{"alter": [{"name": "clicks", "rules": {"min": 0}}]}'""",
    )
)
def change(
    *,
    table: TableName,
    changes: Annotated[
        str,
        typer.Argument(
            metavar="JSON",
            help="What `PATCH /api/tables/{table}` takes (rename, add, drop, alter, unique,"
            " description): a file, `-`, or the JSON itself.",
        ),
    ],
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Change a table: its columns, their rules, its keys, its name."""
    body = _json_of(changes, option="JSON")
    with session(url, as_json=as_json) as here:
        changed = here.client.send("PATCH", f"/api/tables/{part(table)}", body=body).text
        if as_json:
            here.screen.raw(changed)
            return
        _print(here.screen, Table.model_validate_json(changed))


@app.command(epilog=examples("tabularium tables drop Customer --yes"))
def drop(
    *,
    table: TableName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Drop a table with all its records."""
    with session(url, as_json=as_json) as here:
        path = f"/api/tables/{part(table)}"
        if not yes:
            known = Table.model_validate(decoded(here.client.get(path)))
            rows = f"about {known.estimated_rows:,}" if known.estimated_rows else "all its"
            if not typer.confirm(f"Drop {table} with {rows} records?", err=True):
                raise typer.Exit(1)
        here.client.send("DELETE", path)
        if as_json:
            here.screen.document({"dropped": table})
        here.screen.say(f"dropped {table}")


def _create_from_words(
    client: Client,
    table: str,
    columns: list[str],
    keys: list[list[str]],
    description: str | None,
) -> str:
    """Types and their words are the server's to read: this is its verb face."""
    fields: dict[str, str] = {}
    for column in columns:
        name, colon, kind = column.partition(":")
        if not colon or not name.strip() or not kind.strip():
            raise UsageError(f"{column!r} is no name:TYPE")
        if name in fields:
            raise UsageError(f"the column {name!r} is given twice")
        fields[name] = kind
    body = {"table_name": table, "fields": fields}
    made = client.send("POST", "/api/create-table/", body=body).text
    more: dict[str, object] = {}
    if description is not None:
        more["description"] = description
    if keys:
        more["unique"] = {"add": keys}
    return client.send("PATCH", f"/api/tables/{part(table)}", body=more).text if more else made


def _json_of(given: str, *, option: str) -> Any:
    """JSON out of standard input (`-`), out of the argument itself, or out of a file."""
    if given == "-":
        text = sys.stdin.read()
    elif given.lstrip().startswith(("[", "{")):
        text = given
    else:
        try:
            text = Path(given).read_text(encoding="utf-8")
        except OSError as exc:
            raise UsageError(f"{option}: {given} cannot be read ({exc.strerror})") from exc
        except UnicodeDecodeError as exc:
            raise UsageError(f"{option}: {given} is not UTF-8 text") from exc
    try:
        return json.loads(text)
    except ValueError as exc:
        raise UsageError(f"{option}: this is no JSON: {exc}") from exc


def _print(screen: Screen, table: Table) -> None:
    title = table.name
    if table.estimated_rows:
        title += f", about {table.estimated_rows:,} rows"
    if table.description:
        title += f": {table.description}"
    screen.table(
        ["column", "type", "nullable", "unique", "default", "rules", "description"],
        [
            [c.name, c.type, c.nullable, c.unique, _shown(c.default), _rules(c), c.description]
            for c in table.columns
        ],
        title=title,
    )
    for key in table.unique:
        screen.say(f"unique together: {', '.join(key)}")
    if table.ignored:
        screen.say(f"left out of the schema: {', '.join(table.ignored)}")


def _rules(column: Column) -> str | None:
    rules = column.rules or {}
    return ", ".join(f"{name} {_shown(value)}" for name, value in rules.items()) or None


def _shown(value: object) -> object:
    """A default or a rule's value in few words."""
    if isinstance(value, Mapping):
        if "call" in value:
            return f"{value['call']}()"
        if "table" in value:
            return f"{value['table']}.{value['column']}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value
