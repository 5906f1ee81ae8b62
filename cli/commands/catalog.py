"""`tabularium catalog`: which ETL feeds which table."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.answers import CatalogTableItem, EtlItem
from cli.client import decoded, part
from cli.downloads import download
from cli.flattened import flattened
from cli.listing import Columns, listing, show_items
from cli.session import AsJson, Url, View, examples, session, viewing

app = typer.Typer(no_args_is_help=True, help="The catalog: which ETL feeds which table.")

ETL_COLUMNS: Columns[EtlItem] = {
    "etl": lambda etl: etl.name,
    "tables": lambda etl: etl.table_count,
    "description": lambda etl: etl.description,
}
TABLE_COLUMNS: Columns[CatalogTableItem] = {
    "schema": lambda table: table.schema_name,
    "table": lambda table: table.name,
    "database": lambda table: table.namespace,
    "etls": lambda table: table.etl_count,
    "description": lambda table: table.description,
}
OF_AN_ETL: Columns[CatalogTableItem] = {name: TABLE_COLUMNS[name] for name in ("schema", "table")}

Part = Annotated[str | None, typer.Option("-q", help="Only names that contain this.")]


@app.command()
@flattened
def etls(*, search: Part = None, view: View) -> None:
    """List the ETLs."""
    with viewing(view) as here:
        params = _params(search)
        listing(here, "/api/catalog/etls", EtlItem, ETL_COLUMNS, view=view, params=params)


@app.command()
@flattened
def tables(*, search: Part = None, view: View) -> None:
    """List the tables that the catalog knows, of every schema."""
    with viewing(view) as here:
        params = _params(search)
        path = "/api/catalog/tables"
        listing(here, path, CatalogTableItem, TABLE_COLUMNS, view=view, params=params)


@app.command(
    epilog=examples(
        "tabularium catalog etl customers.csv",
        "tabularium catalog etl nightly --output csv",
    )
)
@flattened
def etl(
    *,
    name: Annotated[str, typer.Argument(metavar="ETL", help="The ETL's name.")],
    view: View,
) -> None:
    """Show the tables that an ETL feeds."""
    with viewing(view) as here:
        answer = here.client.get(f"/api/etl/{part(name)}/tables/")
        if view.shape == "json" and view.picked is None:
            here.screen.raw(answer.text)
            return
        tables = decoded(answer)["tables"]
        show_items(here.screen, tables, CatalogTableItem, OF_AN_ETL, view=view)


@app.command(
    epilog=examples(
        "tabularium catalog graph --table data.Customer",
        "tabularium catalog graph --format svg -o graph.svg",
    )
)
def graph(
    *,
    etl_name: Annotated[str | None, typer.Option("--etl", help="Only this ETL's tables.")] = None,
    table: Annotated[
        str | None, typer.Option("--table", help="Only this table's ETLs: schema.table.")
    ] = None,
    graph_format: Annotated[
        Literal["mermaid", "json", "svg"] | None,
        typer.Option("--format", help="By default as the file's name ends, else mermaid."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file to write; standard output by default."),
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Draw which ETL feeds which table."""
    of_name = {".svg": "svg", ".json": "json"}.get(output.suffix if output else "", "mermaid")
    chosen = graph_format or ("json" if as_json else of_name)
    params = {"format": chosen}
    if etl_name is not None:
        params["etl"] = etl_name
    if table is not None:
        params["table"] = table
    with session(url, as_json=as_json) as here:
        download(here, "/api/catalog/graph", output, params=params)
        if output is not None and str(output) != "-":
            here.screen.say(f"the graph is in {output}")


def _params(search: str | None) -> dict[str, str]:
    return {} if search is None else {"q": search}
