"""`tabularium records` and `tabularium export`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.arguments import Filters, TableName
from cli.client import decoded, part
from cli.downloads import download
from cli.errors import UsageError
from cli.flattened import flattened
from cli.options import filters_of
from cli.screen import plural
from cli.session import AsJson, Url, View, examples, session, viewing

SUFFIXES = {
    ".csv": "csv",
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".xlsx": "xlsx",
}
BINARY = frozenset({"parquet", "arrow", "xlsx"})

RECORDS_EXAMPLES = examples(
    "tabularium records Customer age__gte=18 city=Bern --sort=-age,name",
    "tabularium records Customer -q smith --fields name,email --limit 100",
    "tabularium records Customer email__isnull=true --count exact --json",
    "tabularium records Customer --columns name,email --output csv --limit 1000",
)
EXPORT_EXAMPLES = examples(
    "tabularium export Customer -o customers.parquet",
    "tabularium export Customer -o customers.xlsx --sort name",
    "tabularium export Customer created_at__gte=2026-01-01 --format ndjson | head",
)


@flattened
def records(
    *,
    table: TableName,
    filters: Filters = None,
    search: Annotated[str | None, typer.Option("-q", help="Search in text columns.")] = None,
    fields: Annotated[
        str | None, typer.Option(help="As --columns, for those who know the API.")
    ] = None,
    sort: Annotated[
        str | None, typer.Option(help="Columns with commas, each perhaps with `-`: -age,name.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Records per page.")] = 25,
    page: Annotated[int | None, typer.Option(min=1, help="Which page, from 1.")] = None,
    count: Annotated[
        Literal["none", "estimated", "exact"], typer.Option(help="Count what fits, too.")
    ] = "none",
    view: View,
) -> None:
    """Query records with filters, sorting and search; for all of a table use `export`."""
    if fields is not None and view.picked is not None:
        raise UsageError("give either --columns or --fields")
    names = fields if view.picked is None else ",".join(view.picked)
    given = {"q": search, "fields": names, "sort": sort, "page": page, "count": count}
    params = [("limit", str(limit)), *filters_of(filters or [])]
    params += [(name, str(value)) for name, value in given.items() if value is not None]
    with viewing(view) as here:
        answer = here.client.get(f"/api/tables/{part(table)}/records", params)
        if here.screen.shape == "json" and view.picked is None:
            here.screen.raw(answer.text)
            return
        page_ = decoded(answer)
        items = page_["items"]
        if view.picked is not None:  # the server adds the id, whatever is asked for
            items = [{name: item[name] for name in view.picked} for item in items]
        if here.screen.shape == "json":
            here.screen.document({**page_, "items": items})
        elif here.screen.shape == "ndjson":
            for item in items:
                here.screen.document(item)
        elif items:
            headings = list(items[0])
            here.screen.rows(headings, [list(item.values()) for item in items])
        total = page_.get("total")
        of_all = "" if total is None else f" of {total:,}"
        more = "; there are more" if page_.get("next") else ""
        here.screen.say(f"{plural(len(items), 'record')}{of_all}{more}")


def export(
    *,
    table: TableName,
    filters: Filters = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file to write; standard output by default."),
    ] = None,
    file_format: Annotated[
        Literal["csv", "ndjson", "json", "parquet", "arrow", "xlsx"] | None,
        typer.Option("--format", help="By default as the file's name ends, else csv."),
    ] = None,
    search: Annotated[str | None, typer.Option("-q", help="Search in text columns.")] = None,
    fields: Annotated[str | None, typer.Option(help="Only these columns, with commas.")] = None,
    sort: Annotated[str | None, typer.Option(help="Columns with commas, perhaps `-`.")] = None,
    excel_safe: Annotated[
        bool, typer.Option("--excel-safe", help="CSV: neutralise cells that look like formulas.")
    ] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Export a table, or what fits the filters, as a stream of any size.

    With --json and -o, stdout says what was written; without -o the format becomes json.
    """
    to_stdout = output is None or str(output) == "-"
    if file_format is None and as_json and to_stdout:
        file_format = "json"
    chosen = file_format or _format_of(output, to_stdout=to_stdout)
    given = {"q": search, "fields": fields, "sort": sort}
    params = [("format", chosen), *filters_of(filters or [])]
    params += [(name, value) for name, value in given.items() if value is not None]
    if excel_safe:
        params.append(("excel_safe", "true"))
    with session(url, as_json=as_json) as here:
        if chosen in BINARY and to_stdout and here.screen.out.is_terminal:
            raise UsageError(f"{chosen} is no text; name a file with -o")
        size_bytes = download(here, f"/api/tables/{part(table)}/export", output, params=params)
        if not to_stdout:
            if as_json:
                here.screen.document({"file": str(output), "format": chosen, "bytes": size_bytes})
            here.screen.say(f"{plural(size_bytes, 'byte')} in {output}")


def _format_of(output: Path | None, *, to_stdout: bool) -> str:
    """The format that a file's name asks for; raises UsageError for a suffix that names none."""
    if output is None or to_stdout or not output.suffix:
        return "csv"
    chosen = SUFFIXES.get(output.suffix.lower())
    if chosen is None:
        known = ", ".join(SUFFIXES)
        raise UsageError(f"{output.suffix} is no format; end the name in {known}, or give --format")
    return chosen
