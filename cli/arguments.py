"""Arguments and options that several commands take."""

from typing import Annotated

import typer

from cli import completing

TableName = Annotated[
    str,
    typer.Argument(
        metavar="TABLE", help="The table's name.", autocompletion=completing.table_names
    ),
]
Filters = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FILTER...",
        help="column=value, or column__OP=value with eq, ne, gt, gte, lt, lte, in, contains,"
        " icontains, startswith, isnull.",
        autocompletion=completing.assignments,
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="FILTER",
        help="All records that this selects, as in `records`: column=value, column__OP=value;"
        " repeat it to narrow them.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Scopes = Annotated[
    list[str],
    typer.Option("--scope", "-s", help="What it may do, as often as wanted: imports:write."),
]
