"""`tabularium feed`: imports that come again."""

from typing import Annotated, Any, Literal

import typer

from cli.answers import Feed, Import
from cli.client import decoded, part
from cli.feed_options import Expectations, OriginOptions, Times, given, options_of
from cli.flattened import flattened
from cli.listing import Columns, listing, removed
from cli.outcome import report, watched
from cli.session import AsJson, Session, Url, View, examples, session, viewing
from cli.uploading import opened, submit

app = typer.Typer(no_args_is_help=True, help="Imports that come again, by themselves or pushed.")

FeedName = Annotated[str, typer.Argument(metavar="NAME", help="What the feed is called.")]

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
    "tabularium feed add stock -t Stock --from-url s3://lake/stock.csv --from-source 8 \\",
    "    -o mode=replace --every-s 3600",
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
@flattened
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
    origin: OriginOptions,
    time: Times,
    expect: Expectations,
    email: Annotated[str | None, typer.Option(help="Who is mailed.")] = None,
    etl_name: Annotated[str | None, typer.Option(help="The name in the catalog.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Make a feed; without --from-url and --from-source, files are sent to it."""
    source = origin.source()
    if source is None and like is None:
        source = {"kind": "push"}
    body = given(
        name=name,
        like=like,
        table=table,
        email=email,
        etl_name=etl_name,
        options=options_of(options) if options else None,
        schedule=time.schedule(),
        incremental=origin.increments(),
        expect=expect.fields() or None,
        **{"from": source},
    )
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


def _path(name: str) -> str:
    return f"/api/feeds/{part(name)}"
