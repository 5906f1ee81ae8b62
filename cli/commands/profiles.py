"""`tabularium profile` and `tabularium report`: what is in a table's rows, what an import did."""

from pathlib import Path
from typing import Annotated

import typer

from cli.client import decoded, part
from cli.downloads import download
from cli.errors import UsageError
from cli.listing import Columns
from cli.screen import plural
from cli.session import AsJson, Url, examples, session
from shared.contracts.ingest import ColumnProfile, TableProfile

PROFILE_EXAMPLES = """Examples:

  tabularium profile Customer
  tabularium profile --import 42
  tabularium profile Customer -o customer.svg"""
REPORT_EXAMPLES = examples("tabularium report 42 -o report.html")
BLOCKS = "▁▂▃▄▅▆▇█"
SHOWN_COMMON = 3
DATA = "data."


def profile(
    *,
    table: Annotated[
        str | None, typer.Argument(metavar="[TABLE]", help="The table; by its newest import.")
    ] = None,
    import_id: Annotated[
        int | None, typer.Option("--import", min=1, help="By this import instead.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write a picture (.svg) or .json.")
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show what is in a table's rows: nulls, different values, extremes, commonest values."""
    path, params = _place(table, import_id)
    with session(url, as_json=as_json) as here:
        if output is not None:
            chosen = "json" if as_json or output.suffix == ".json" else "svg"
            download(here, path, output, params={**params, "format": chosen})
            return
        answer = here.client.get(path, params)
        if as_json:
            here.screen.raw(answer.text)
            return
        shown = TableProfile.model_validate(decoded(answer))
        values = _columns(shown.rows)
        here.screen.table(
            list(values),
            [[value_of(each) for value_of in values.values()] for each in shown.columns],
        )
        said = f"import {shown.import_}: {plural(shown.rows, 'row')}"
        if shown.sampled_rows is not None:
            said += f"; what is frequent is out of {shown.sampled_rows:,} of them"
        here.screen.say(said)


def report(
    *,
    id_: Annotated[int, typer.Argument(metavar="ID", min=1, help="The import's number.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write a file, or - for stdout.")
    ] = None,
    url: Url = None,
) -> None:
    """Get an import's report: one HTML page with counts, reasons, profile and origin."""
    with session(url, as_json=False) as here:
        file = output or Path(f"import-{id_}-report.html")
        download(here, f"/api/imports/{id_}/report", file)
        if str(file) != "-":
            here.screen.say(f"{file} is written")


def _place(table: str | None, import_id: int | None) -> tuple[str, dict[str, str | int]]:
    if table is None:
        if import_id is None:
            raise UsageError("name a table, or an import by --import")
        return f"/api/imports/{import_id}/profile", {}
    name = table.removeprefix(DATA)
    params: dict[str, str | int] = {} if import_id is None else {"import": import_id}
    return f"/api/catalog/tables/data/{part(name)}/profile", params


def _columns(rows: int) -> Columns[ColumnProfile]:
    return {
        "column": lambda each: each.column,
        "type": lambda each: each.type,
        "nulls": lambda each: _share(each.nulls, rows) if each.nulls else "",
        "different": lambda each: f"{'≈ ' if each.distinct_approximate else ''}{each.distinct:,}",
        "min": lambda each: each.min,
        "max": lambda each: each.max,
        "values": lambda each: _values(each, rows),
    }


def _values(column: ColumnProfile, rows: int) -> str:
    """A histogram in one line, or the commonest values."""
    most = max((each.count for each in column.histogram), default=0)
    few = not column.distinct_approximate and column.distinct <= SHOWN_COMMON
    if most and not few:
        steps = len(BLOCKS)
        return "".join(
            BLOCKS[-(-each.count * steps // most) - 1] if each.count else " "
            for each in column.histogram
        )
    shown = column.common[:SHOWN_COMMON]
    return ", ".join(f"{each.value} {_share(each.count, rows)}" for each in shown)


def _share(count: int, rows: int) -> str:
    return f"{count / rows:.0%}" if count * 100 >= rows else "< 1%"
