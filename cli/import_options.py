"""The options of `tabularium import`, as they are typed and as its help shows them."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.options import PASSWORD_VARIABLE

OF_FILE = "How a file is read"
OF_DATABASE = "Another database in place of a file"
OF_ROWS = "What becomes of the rows"
OF_END = "At the end"

File = Annotated[
    str | None,
    typer.Argument(
        metavar="FILE",
        help="CSV, JSON, NDJSON, a workbook, Parquet or Arrow, perhaps compressed or in an archive;"
        " `-` reads standard input.",
        show_default=False,
    ),
]
TableOption = Annotated[
    str | None, typer.Option("--table", "-t", help="The table that takes the rows.")
]

FromDatabase = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Instead of a file: postgresql://user@host:5432/database,"
        " oracle://user@host:1521/service, or the id of a saved source. The password is"
        f" asked for, or taken from {PASSWORD_VARIABLE}.",
        rich_help_panel=OF_DATABASE,
    ),
]
SourceTable = Annotated[
    str | None,
    typer.Option(
        help="With --from-database: the table there, schema.name.", rich_help_panel=OF_DATABASE
    ),
]
Query = Annotated[
    str | None,
    typer.Option(
        help="With --from-database: a query in place of a table.", rich_help_panel=OF_DATABASE
    ),
]
Tls = Annotated[
    bool | None,
    typer.Option(
        "--tls/--no-tls",
        help="With --from-database: encrypted or not.",
        rich_help_panel=OF_DATABASE,
    ),
]

Mode = Annotated[
    Literal["append", "upsert", "replace"],
    typer.Option(
        help="Add rows, update those of the same --key, or replace all.", rich_help_panel=OF_ROWS
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        help="The unique column (or columns, with commas) of upsert.", rich_help_panel=OF_ROWS
    ),
]
OnDuplicate = Annotated[
    Literal["refuse", "first", "last"] | None,
    typer.Option(
        help="With --mode upsert, several rows of one key: which of them is loaded.",
        rich_help_panel=OF_ROWS,
    ),
]
OnBlank = Annotated[
    Literal["clear", "keep"] | None,
    typer.Option(
        help="With --mode upsert, an empty cell: clear the value, or keep it.",
        rich_help_panel=OF_ROWS,
    ),
]
OnError = Annotated[
    Literal["skip", "abort"],
    typer.Option(
        help="What one bad row does: it is left out, or nothing is loaded.",
        rich_help_panel=OF_ROWS,
    ),
]
MaxErrors = Annotated[
    int | None,
    typer.Option(min=0, help="Give up after so many bad rows.", rich_help_panel=OF_ROWS),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Do all the work, report, and keep nothing.", rich_help_panel=OF_ROWS
    ),
]
AllowEmpty = Annotated[
    bool,
    typer.Option(
        "--allow-empty",
        help="With --mode replace: no rows empty the table.",
        rich_help_panel=OF_ROWS,
    ),
]
CreateTable = Annotated[
    bool,
    typer.Option(
        "--create-table",
        help="Make the table first, its columns as the file or database has them.",
        rich_help_panel=OF_ROWS,
    ),
]
OnNewColumn = Annotated[
    Literal["refuse", "ignore", "add"] | None,
    typer.Option(
        help="A column that the table has not: refuse the file, leave it out, or add it.",
        rich_help_panel=OF_ROWS,
    ),
]
Types = Annotated[
    list[str] | None,
    typer.Option(
        "--type",
        help="With --create-table, the type of a column: 'zip=TEXT'; repeat it.",
        rich_help_panel=OF_ROWS,
    ),
]
Mapping = Annotated[
    str | None,
    typer.Option(
        help="JSON: file column to table column, null to leave it out.", rich_help_panel=OF_ROWS
    ),
]
Pairs = Annotated[
    list[str] | None,
    typer.Option(
        "--map", help="The same, one pair: 'Full name=name'; repeat it.", rich_help_panel=OF_ROWS
    ),
]

FileFormat = Annotated[
    Literal["auto", "csv", "json", "ndjson", "xlsx", "xls", "xlsb", "ods", "parquet", "arrow"],
    typer.Option("--format", help="What the file is.", rich_help_panel=OF_FILE),
]
Delimiter = Annotated[
    str | None,
    typer.Option(
        help="Between CSV fields: up to four characters, or `tab`.", rich_help_panel=OF_FILE
    ),
]
Quote = Annotated[
    str | None,
    typer.Option(help="Around CSV fields: one character, or `none`.", rich_help_panel=OF_FILE),
]
Encoding = Annotated[
    str | None,
    typer.Option(help="The file's encoding, such as cp1252.", rich_help_panel=OF_FILE),
]
ForceEncoding = Annotated[
    bool,
    typer.Option(
        "--force-encoding",
        help="Read by --encoding even if the file is in UTF-8.",
        rich_help_panel=OF_FILE,
    ),
]
HeaderLine = Annotated[
    str | None,
    typer.Option(
        metavar="auto|none|NUMBER",
        help="The line of the header, if it is not found by itself.",
        rich_help_panel=OF_FILE,
    ),
]
FooterLines = Annotated[
    int | None,
    typer.Option(min=0, help="Leave out so many last lines.", rich_help_panel=OF_FILE),
]
FillShort = Annotated[
    bool,
    typer.Option("--fill-short", help="Missing last cells are NULL.", rich_help_panel=OF_FILE),
]
Escape = Annotated[
    Literal["none", "backslash"] | None,
    typer.Option(
        help="Whether a backslash takes the meaning from the next character.",
        rich_help_panel=OF_FILE,
    ),
]
Comment = Annotated[
    str | None,
    typer.Option(help="Leave out lines that begin with it.", rich_help_panel=OF_FILE),
]
Trim = Annotated[
    Literal["auto", "all", "none"] | None,
    typer.Option(
        help="Blanks around cells: auto, where all rows have them.", rich_help_panel=OF_FILE
    ),
]
NullValues = Annotated[
    str | None,
    typer.Option(
        help="Cells that mean NULL beside empty ones, with commas.", rich_help_panel=OF_FILE
    ),
]
DateFormat = Annotated[
    str | None,
    typer.Option(
        help="How dates are written, such as %d.%m.%Y; several with | between them; or epoch_s,"
        " epoch_ms.",
        rich_help_panel=OF_FILE,
    ),
]
CenturyFrom = Annotated[
    int | None,
    typer.Option(help="The first of the 100 years that %y means.", rich_help_panel=OF_FILE),
]
Decimal = Annotated[
    str | None,
    typer.Option(help="Before decimals: `.` or `,`.", rich_help_panel=OF_FILE),
]
Thousands = Annotated[
    str | None,
    typer.Option(help="Between groups of digits: one character.", rich_help_panel=OF_FILE),
]
Numbers = Annotated[
    Literal["plain", "lenient"],
    typer.Option(
        help="lenient takes currency signs, groups of digits, negatives in parentheses, percent.",
        rich_help_panel=OF_FILE,
    ),
]
RecordPath = Annotated[
    str | None,
    typer.Option(
        help="Of a JSON document: where the records are, as in data.items.",
        rich_help_panel=OF_FILE,
    ),
]
Sheet = Annotated[
    str | None,
    typer.Option(
        help="Of a workbook: the sheet's name, or its number from 1.", rich_help_panel=OF_FILE
    ),
]
Member = Annotated[
    str | None,
    typer.Option(help="Of an archive: the name of the file in it.", rich_help_panel=OF_FILE),
]
FileName = Annotated[
    str | None,
    typer.Option(help="The file's name as the server shall know it.", rich_help_panel=OF_FILE),
]

Email = Annotated[
    str | None, typer.Option(help="Mail this address at the end.", rich_help_panel=OF_END)
]
EtlName = Annotated[
    str | None,
    typer.Option(help="The name in the catalog; by default the file's.", rich_help_panel=OF_END),
]
RejectsTo = Annotated[
    Path | None,
    typer.Option(
        "--rejects", help="Write the rejected rows to this CSV file.", rich_help_panel=OF_END
    ),
]
SaveAs = Annotated[
    str | None,
    typer.Option(
        metavar="FEED",
        help="Make a feed that does the same again, with each new file or by a schedule.",
        rich_help_panel=OF_END,
    ),
]
Look = Annotated[
    bool,
    typer.Option(
        "--look",
        help="Show what the file is and what would be refused, and ask before it lands.",
        rich_help_panel=OF_END,
    ),
]
Wait = Annotated[
    bool,
    typer.Option(
        "--wait/--no-wait", help="Watch it to its end, or only submit it.", rich_help_panel=OF_END
    ),
]
