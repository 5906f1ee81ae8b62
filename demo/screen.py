"""The demo's last screen: a page of rows, the rejects, the mail, the catalog's edge."""

from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from demo.stack import Stack


def last_screen(
    console: Console,
    *,
    page: Sequence[Mapping[str, Any]],
    rejects: Sequence[Mapping[str, Any]],
    mail: EmailMessage | None,
    reader: str,
    edges: Mapping[str, Any],
    clean: Mapping[str, Any],
    etl: str,
) -> None:
    """Print everything that came out, on one screen."""
    console.rule("[bold]What came out")
    rows = clean["rows"]
    title = f"{rows['loaded']:,} rows in data.{clean['table']}: late arrivals, longest first"
    rows_shown = [{**one, "time_hour": one["time_hour"][:16]} for one in page]
    console.print(_table(title, rows_shown, columns=tuple(page[0])))
    shown = [{**one, "value": str(one["value"] or "")[:30]} for one in rejects]
    columns = ("line", "column", "code", "value", "message")
    console.print(_table("Refused rows of the spoilt copy", shown, columns=columns))
    console.print(_mail(mail, reader=reader))
    fed = ", ".join(f"{one['schema']}.{one['name']}" for one in edges["tables"])
    console.print(Panel(f"{etl}  →  {fed}", title="The catalog's edges", expand=False))


def links(console: Console, stack: Stack, *, table: str, rows: int, spoilt_import: int) -> None:
    """Print where to go on by hand, and who may."""
    console.rule("[bold]Worth a click")
    page = f"{stack.url}/app"
    for path, what in (
        (f"imports/{spoilt_import}", "the refused rows, to be corrected in place"),
        (f"tables/{table}", f"{rows:,} rows: filter, sort, edit, export"),
        (f"lineage?table=data.{table}", "what fills the table, and what it fills"),
    ):
        console.print(f"  {page}/{path}\n      {what}", soft_wrap=True)
    user = stack.admin()["username"]
    console.print(f"  Sign in as {user}; the password is in {stack.log_in_file}", soft_wrap=True)


def _mail(mail: EmailMessage | None, *, reader: str) -> Panel:
    if mail is None:
        text = "It went to the mail server that the stack is set to use; it is not read here."
        return Panel(text, title=f"Mail to {reader}", expand=False)
    body = mail.get_body(("plain",))
    text = str(body.get_content()).strip() if body is not None else ""
    return Panel(text, title=f"Mail to {mail['To']}: {mail['Subject']}", expand=False)


def _table(title: str, items: Sequence[Mapping[str, Any]], *, columns: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for item in items:
        table.add_row(*("" if item.get(name) is None else str(item[name]) for name in columns))
    return table
