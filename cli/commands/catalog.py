"""`tabularium catalog`: which ETL feeds which table."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.answers import CatalogTableItem, EtlItem
from cli.client import decoded, part
from cli.downloads import download
from cli.session import AsJson, Url, examples, session

app = typer.Typer(no_args_is_help=True, help="The catalog: which ETL feeds which table.")

Part = Annotated[str | None, typer.Option("-q", help="Only names that hold this.")]


@app.command()
def etls(*, search: Part = None, url: Url = None, as_json: AsJson = False) -> None:
    """List the ETLs."""
    with session(url, as_json=as_json) as here:
        found = list(here.client.items("/api/catalog/etls", _params(search)))
        if as_json:
            here.screen.document({"items": found, "next": None})
            return
        items = [EtlItem.model_validate(item) for item in found]
        here.screen.table(
            ["etl", "tables", "description"],
            [[item.name, item.table_count, item.description] for item in items],
        )


@app.command()
def tables(*, search: Part = None, url: Url = None, as_json: AsJson = False) -> None:
    """List the tables that the catalog knows, of every schema."""
    with session(url, as_json=as_json) as here:
        found = list(here.client.items("/api/catalog/tables", _params(search)))
        if as_json:
            here.screen.document({"items": found, "next": None})
            return
        items = [CatalogTableItem.model_validate(item) for item in found]
        here.screen.table(
            ["schema", "table", "etls", "description"],
            [[item.schema_name, item.name, item.etl_count, item.description] for item in items],
        )


@app.command(epilog=examples("tabularium catalog etl customers.csv"))
def etl(
    *,
    name: Annotated[str, typer.Argument(metavar="ETL", help="The ETL's name.")],
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show the tables that an ETL feeds."""
    with session(url, as_json=as_json) as here:
        answer = here.client.get(f"/api/etl/{part(name)}/tables/")
        if as_json:
            here.screen.raw(answer.text)
            return
        told = decoded(answer)
        here.screen.table(
            ["schema", "table"], [[item["schema"], item["name"]] for item in told["tables"]]
        )


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
