"""`tabularium feed`: imports that come again."""

from typing import Annotated, Any, Literal

import typer

from cli.answers import Feed, Import
from cli.client import decoded, part
from cli.errors import UsageError
from cli.flattened import flattened
from cli.listing import Columns, listing, removed
from cli.outcome import report, watched
from cli.session import AsJson, Session, Url, View, examples, session, viewing
from cli.uploading import opened, submit

app = typer.Typer(no_args_is_help=True, help="Imports that come again, by themselves or pushed.")

FeedName = Annotated[str, typer.Argument(metavar="NAME", help="What the feed is called.")]
OF_ROWS = "Where the rows come from"
OF_TIME = "When it runs"
OF_EXPECTATIONS = "What is expected of the rows"

COLUMNS: Columns[Feed] = {
    "name": lambda feed: feed.name,
    "table": lambda feed: feed.table,
    "from": lambda feed: feed.source,
    "health": lambda feed: feed.health,
    "last import": lambda feed: feed.last_import,
    "next run": lambda feed: feed.next_run_at and feed.next_run_at.isoformat(),
}
ADD_EXAMPLES = examples(
    "tabularium feed add prices --table Price -o mode=replace --min-rows 100",
    "tabularium feed add rates -t Rate --from-url https://example.com/rates.csv \\",
    "    --cron '0 2 * * *' --timezone Europe/Paris",
    "tabularium feed add orders -t Orders --from-source 7 --source-table sales.orders \\",
    "    -o mode=upsert -o key=number --every-s 600 --incremental updated_at",
    "tabularium feed add nightly --like 42 --cron '0 2 * * *'",
)


@app.command("list")
@flattened
def list_feeds(
    *,
    table: Annotated[str | None, typer.Option("--table", "-t", help="Into this table.")] = None,
    health: Annotated[
        Literal["new", "ok", "late", "failing", "paused"] | None,
        typer.Option(help="Only those that do so."),
    ] = None,
    view: View,
) -> None:
    """List the feeds, and how they do."""
    given = {"table": table, "health": health}
    params = {name: value for name, value in given.items() if value is not None}
    with viewing(view) as here:
        listing(here, "/api/feeds", Feed, COLUMNS, view=view, params=params)


@app.command()
def show(*, name: FeedName, url: Url = None, as_json: AsJson = False) -> None:
    """Show a feed: what it does, how it does, and its last runs."""
    with session(url, as_json=as_json) as here:
        _show(here, here.client.get(_path(name)).text)


@app.command(epilog=ADD_EXAMPLES)
def add(
    *,
    name: FeedName,
    table: Annotated[
        str | None, typer.Option("--table", "-t", help="The table that takes the rows.")
    ] = None,
    like: Annotated[
        int | None, typer.Option(help="Do what this import did: its table, options and source.")
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            "-o",
            metavar="NAME=VALUE",
            help="An option of an import, as in mode=upsert, key=sku, delimiter=;; repeat it.",
        ),
    ] = None,
    from_url: Annotated[
        str | None,
        typer.Option(help="Fetch a file by http or https.", rich_help_panel=OF_ROWS),
    ] = None,
    headers: Annotated[
        list[str] | None,
        typer.Option(
            "--header", metavar="NAME: VALUE", help="Sent with it.", rich_help_panel=OF_ROWS
        ),
    ] = None,
    from_source: Annotated[
        int | None,
        typer.Option(metavar="ID", help="Read this saved source.", rich_help_panel=OF_ROWS),
    ] = None,
    source_table: Annotated[
        str | None, typer.Option(help="The table there, schema.name.", rich_help_panel=OF_ROWS)
    ] = None,
    query: Annotated[
        str | None, typer.Option(help="A query in place of a table.", rich_help_panel=OF_ROWS)
    ] = None,
    incremental: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Only rows in which this column is beyond what was loaded.",
            rich_help_panel=OF_ROWS,
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(help="With --incremental: where it begins.", rich_help_panel=OF_ROWS),
    ] = None,
    lookback: Annotated[
        str | None,
        typer.Option(
            help="With --incremental: a number, or PT1H, before it.", rich_help_panel=OF_ROWS
        ),
    ] = None,
    cron: Annotated[
        str | None, typer.Option(help="Five fields of cron.", rich_help_panel=OF_TIME)
    ] = None,
    timezone: Annotated[
        str, typer.Option(help="With --cron, as Europe/Paris.", rich_help_panel=OF_TIME)
    ] = "UTC",
    every_s: Annotated[
        int | None, typer.Option(help="Every so many seconds.", rich_help_panel=OF_TIME)
    ] = None,
    every: Annotated[
        str | None,
        typer.Option(
            help="A success so often, as P1D, or it is late.", rich_help_panel=OF_EXPECTATIONS
        ),
    ] = None,
    min_rows: Annotated[
        int | None, typer.Option(help="So many at least.", rich_help_panel=OF_EXPECTATIONS)
    ] = None,
    max_rejected: Annotated[
        int | None, typer.Option(help="So many at most.", rich_help_panel=OF_EXPECTATIONS)
    ] = None,
    max_rejected_share: Annotated[
        float | None, typer.Option(help="At most, of 1.", rich_help_panel=OF_EXPECTATIONS)
    ] = None,
    email: Annotated[str | None, typer.Option(help="Who is mailed.")] = None,
    etl_name: Annotated[str | None, typer.Option(help="The name in the catalog.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Make a feed; without --from-url and --from-source, files are sent to it."""
    body: dict[str, Any] = {"name": name}
    if like is not None:
        body["like"] = like
    origin = _origin(from_url, headers or [], from_source, source_table, query)
    if origin is not None or like is None:
        body["from"] = origin or {"kind": "push"}
    body |= _given(table=table, email=email, etl_name=etl_name)
    if options:
        body["options"] = _options(options)
    if cron is not None or every_s is not None:
        zone = None if cron is None else timezone
        body["schedule"] = _given(cron=cron, timezone=zone, every_s=every_s)
    if incremental is not None:
        body["incremental"] = _given(column=incremental, start=start, lookback=lookback)
    expect = _given(
        every=every,
        min_rows=min_rows,
        max_rejected=max_rejected,
        max_rejected_share=max_rejected_share,
    )
    if expect:
        body["expect"] = expect
    with session(url, as_json=as_json) as here:
        _show(here, here.client.send("POST", "/api/feeds", body=body).text)


@app.command(
    epilog=examples(
        "tabularium feed run prices prices.csv",
        "tabularium feed run orders",
    )
)
def run(
    *,
    name: FeedName,
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help="For a feed that waits for files.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Watch it to its end, or only start it.")
    ] = True,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Run a feed now, and show what came of it; exits as `import` does."""
    with session(url, as_json=as_json) as here:
        accepted = _started(here, name, file)
        if not wait:
            if as_json:
                here.screen.raw(here.client.get(accepted.links.self).text)
            else:
                here.screen.line(f"import {accepted.id} is {accepted.state}")
            return
        if code := report(here, watched(here, accepted)):
            raise typer.Exit(code)


@app.command()
def pause(*, name: FeedName, url: Url = None, as_json: AsJson = False) -> None:
    """Stop a feed's schedule."""
    _change(name, {"paused": True}, url=url, as_json=as_json)


@app.command()
def resume(*, name: FeedName, url: Url = None, as_json: AsJson = False) -> None:
    """Start a feed's schedule again."""
    _change(name, {"paused": False}, url=url, as_json=as_json)


@app.command()
def reset(
    *,
    name: FeedName,
    cursor: Annotated[
        str | None, typer.Option(help="Where it goes on; without it, at its start.")
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Set where a feed goes on; the next file is loaded even if it is the same."""
    with session(url, as_json=as_json) as here:
        answer = here.client.send("POST", f"{_path(name)}/reset", body={"cursor": cursor})
        _show(here, answer.text)


@app.command()
def remove(*, name: FeedName, url: Url = None, as_json: AsJson = False) -> None:
    """Remove a feed; what it loaded stays."""
    with session(url, as_json=as_json) as here:
        removed(here, _path(name), name, f"the feed {name} is removed")


def save_as(here: Session, name: str, import_id: int) -> None:
    """Make a feed that does what an import did."""
    here.client.send("POST", "/api/feeds", body={"name": name, "like": import_id})
    here.screen.say(f"the feed {name} does it again: tabularium feed run {name}")


def _started(here: Session, name: str, file: str | None) -> Import:
    path = f"{_path(name)}/runs"
    if file is None:
        return Import.model_validate(decoded(here.client.send("POST", path)))
    with opened(file, name=None) as upload, here.screen.progress(sending=True) as bar:
        task = bar.add_task(f"sending {upload.name}", total=upload.size_bytes)
        return submit(
            here.client,
            upload,
            path=path,
            fields={},
            tell=lambda sent_bytes: bar.update(task, completed=sent_bytes),
        )


def _change(name: str, body: dict[str, Any], *, url: str | None, as_json: bool) -> None:
    with session(url, as_json=as_json) as here:
        _show(here, here.client.send("PATCH", _path(name), body=body).text)


def _show(here: Session, answer: str) -> None:
    if here.screen.as_json:
        here.screen.raw(answer)
        return
    feed = Feed.model_validate_json(answer)
    following = "" if feed.next_run_at is None else f", next at {feed.next_run_at.isoformat()}"
    here.screen.line(
        f"feed {feed.name} into {feed.table}, from {feed.source}: {feed.health}{following}"
    )
    if feed.cursor is not None:
        here.screen.line(f"  goes on at {feed.cursor}")
    if feed.history:
        here.screen.table(
            ["import", "state", "loaded", "rejected", "seconds"],
            [
                [
                    past.id,
                    "unchanged" if past.unchanged else past.state,
                    past.rows.loaded,
                    past.rows.rejected,
                    None if past.seconds is None else round(past.seconds, 1),
                ]
                for past in feed.history
            ],
        )


def _origin(
    from_url: str | None,
    headers: list[str],
    from_source: int | None,
    source_table: str | None,
    query: str | None,
) -> dict[str, Any] | None:
    if from_url is not None and from_source is None:
        return {"kind": "http", "url": from_url, "headers": dict(map(_header, headers))}
    if headers:
        raise UsageError("--header goes with --from-url")
    if from_source is not None and from_url is None:
        return {
            "kind": "database",
            "source_id": from_source,
            **_given(table=source_table, query=query),
        }
    if from_url is not None:
        raise UsageError("give either --from-url or --from-source")
    if source_table is not None or query is not None:
        raise UsageError("--source-table and --query go with --from-source")
    return None


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise UsageError(f"{text!r} is no header: write 'Name: value'")
    return name.strip(), value.strip()


def _options(pairs: list[str]) -> dict[str, str]:
    """Options as the fields of an import's form, which the API takes here too."""
    options: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"--option: {pair!r} is no NAME=VALUE")
        options[name] = value
    return options


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _path(name: str) -> str:
    return f"/api/feeds/{part(name)}"
