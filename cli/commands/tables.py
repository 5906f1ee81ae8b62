"""`tabularium tables`: list, show, create, drop; `altering.py` changes them."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from cli.answers import Column, Table
from cli.arguments import TableName, Yes
from cli.client import Client, decoded, part
from cli.errors import UsageError
from cli.flattened import flattened
from cli.listing import Columns, listing
from cli.options import json_of
from cli.screen import Screen
from cli.session import AsJson, Url, View, examples, session, viewing

app = typer.Typer(no_args_is_help=True, help="Tables: list, show, create, alter, drop.")

COLUMNS: Columns[Table] = {
    "table": lambda table: table.name,
    "columns": lambda table: len(table.columns),
    "rows (estimated)": lambda table: table.estimated_rows,
    "owner": lambda table: table.owner,
    "description": lambda table: table.description,
}


@app.command("list", epilog=examples("tabularium tables list --columns table | tail -n +2"))
@flattened
def list_tables(*, view: View) -> None:
    """List the tables that you may see."""
    with viewing(view) as here:
        listing(here, "/api/tables", Table, COLUMNS, view=view)


@app.command()
def show(*, table: TableName, url: Url = None, as_json: AsJson = False) -> None:
    """Show a table's columns, their rules and its keys of several columns."""
    with session(url, as_json=as_json) as here:
        answer = here.client.get(f"/api/tables/{part(table)}")
        if as_json:
            here.screen.raw(answer.text)
            return
        print_table(here.screen, Table.model_validate(decoded(answer)))


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
                body["columns"] = json_of(columns_json, option="--columns")
            else:
                body["json_schema"] = json_of(json_schema or "", option="--json-schema")
            if description is not None:
                body["description"] = description
            query = {} if unsupported is None else {"unsupported": unsupported}
            made = here.client.send("POST", "/api/tables", body=body, params=query).text
        if as_json:
            here.screen.raw(made)
            return
        print_table(here.screen, Table.model_validate_json(made))


@app.command(epilog=examples("tabularium tables drop Customer --yes"))
def drop(
    *,
    table: TableName,
    yes: Yes = False,
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


def print_table(screen: Screen, table: Table) -> None:
    """Show a table: its columns, their rules, its keys of several columns."""
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
