"""The options of `tabularium feed add`: where rows come from, when, what is expected of them."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer

from cli.errors import UsageError

OF_ROWS = "Where the rows come from"
OF_TIME = "When it runs"
OF_EXPECTATIONS = "What is expected of the rows"


@dataclass(frozen=True, kw_only=True)
class OriginOptions:
    """Where the rows come from; files that are sent, if nothing is given."""

    from_url: Annotated[
        str | None,
        typer.Option(
            help="Fetch a file by http or https, or s3://bucket/key with --from-source.",
            rich_help_panel=OF_ROWS,
        ),
    ] = None
    headers: Annotated[
        list[str] | None,
        typer.Option(
            "--header", metavar="NAME: VALUE", help="Sent with it.", rich_help_panel=OF_ROWS
        ),
    ] = None
    from_source: Annotated[
        int | None,
        typer.Option(metavar="ID", help="Read this saved source.", rich_help_panel=OF_ROWS),
    ] = None
    source_table: Annotated[
        str | None, typer.Option(help="The table there, schema.name.", rich_help_panel=OF_ROWS)
    ] = None
    query: Annotated[
        str | None, typer.Option(help="A query in place of a table.", rich_help_panel=OF_ROWS)
    ] = None
    incremental: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Only rows in which this column is beyond what was loaded.",
            rich_help_panel=OF_ROWS,
        ),
    ] = None
    start: Annotated[
        str | None,
        typer.Option(help="With --incremental: where it begins.", rich_help_panel=OF_ROWS),
    ] = None
    lookback: Annotated[
        str | None,
        typer.Option(
            help="With --incremental: a number, or PT1H, before it.", rich_help_panel=OF_ROWS
        ),
    ] = None

    def source(self) -> dict[str, Any] | None:
        """The API's `from`; None where nothing is given. Raises UsageError."""
        is_s3 = self.from_url is not None and self.from_url.startswith("s3://")
        if is_s3 and self.from_source is None:
            raise UsageError("s3:// is read with the keys of a saved source: give --from-source")
        if self.from_url is not None and self.from_source is None:
            headers = dict(map(_header, self.headers or ()))
            return {"kind": "http", "url": self.from_url, "headers": headers}
        if self.headers:
            raise UsageError("--header goes with --from-url")
        if is_s3:
            return {"kind": "s3", "url": self.from_url, "source_id": self.from_source}
        if self.from_source is not None and self.from_url is None:
            place = given(table=self.source_table, query=self.query)
            return {"kind": "database", "source_id": self.from_source, **place}
        if self.from_url is not None:
            raise UsageError("give either --from-url or --from-source")
        if self.source_table is not None or self.query is not None:
            raise UsageError("--source-table and --query go with --from-source")
        return None

    def increments(self) -> dict[str, Any] | None:
        """The API's `incremental`; None where all rows are read. Raises UsageError."""
        if self.incremental is None:
            if self.start is not None or self.lookback is not None:
                raise UsageError("--start and --lookback go with --incremental")
            return None
        return given(column=self.incremental, start=self.start, lookback=self.lookback)


@dataclass(frozen=True, kw_only=True)
class Times:
    """When the feed runs."""

    cron: Annotated[
        str | None, typer.Option(help="Five fields of cron.", rich_help_panel=OF_TIME)
    ] = None
    timezone: Annotated[
        str | None,
        typer.Option(
            help="With --cron, as Europe/Paris.", show_default="UTC", rich_help_panel=OF_TIME
        ),
    ] = None
    every_s: Annotated[
        int | None, typer.Option(help="Every so many seconds.", rich_help_panel=OF_TIME)
    ] = None

    def schedule(self) -> dict[str, Any] | None:
        """The API's `schedule`; None for a feed that is run by hand. Raises UsageError."""
        if self.cron is None:
            if self.timezone is not None:
                raise UsageError("--timezone goes with --cron")
            return None if self.every_s is None else {"every_s": self.every_s}
        return given(cron=self.cron, timezone=self.timezone or "UTC", every_s=self.every_s)


@dataclass(frozen=True, kw_only=True)
class Expectations:
    """What is expected of the rows."""

    every: Annotated[
        str | None,
        typer.Option(
            help="A success so often, as P1D, or it is late.", rich_help_panel=OF_EXPECTATIONS
        ),
    ] = None
    min_rows: Annotated[
        int | None, typer.Option(help="So many at least.", rich_help_panel=OF_EXPECTATIONS)
    ] = None
    max_rejected: Annotated[
        int | None, typer.Option(help="So many at most.", rich_help_panel=OF_EXPECTATIONS)
    ] = None
    max_rejected_share: Annotated[
        float | None, typer.Option(help="At most, of 1.", rich_help_panel=OF_EXPECTATIONS)
    ] = None

    def fields(self) -> dict[str, Any]:
        """What was given, by the API's names."""
        return given(**asdict(self))


def options_of(pairs: list[str]) -> dict[str, str]:
    """Options as the fields of an import's form, which the API takes here too."""
    options: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"--option: {pair!r} is no NAME=VALUE")
        options[name] = value
    return options


def given(**values: Any) -> dict[str, Any]:
    """Those that were given: all but None."""
    return {name: value for name, value in values.items() if value is not None}


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise UsageError(f"{text!r} is no header: write 'Name: value'")
    return name.strip(), value.strip()
