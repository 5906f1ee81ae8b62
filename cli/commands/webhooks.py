"""`tabularium webhook`: programs of one's own that are called when something happens."""

from typing import Annotated, Any

import typer

from cli.answers import Delivery, Webhook
from cli.client import decoded
from cli.errors import UsageError
from cli.flattened import flattened
from cli.listing import Columns, listing, removed
from cli.session import AsJson, Session, Url, View, examples, session, viewing

app = typer.Typer(
    no_args_is_help=True,
    help="Have your own programs called when an import, feed or table changes.",
)

WebhookId = Annotated[int, typer.Argument(metavar="ID", min=1, help="The webhook's number.")]
Events = Annotated[
    list[str] | None,
    typer.Option(
        "--event",
        "-e",
        help="import.succeeded, import.failed, import.cancelled, import.undone, feed.late,"
        " feed.failing, feed.recovered, table.created, table.changed or table.deleted; as often"
        " as wanted.",
    ),
]

COLUMNS: Columns[Webhook] = {
    "id": lambda webhook: webhook.id,
    "url": lambda webhook: webhook.url,
    "events": lambda webhook: " ".join(webhook.events),
    "table": lambda webhook: webhook.table,
    "state": lambda webhook: webhook.state,
}
DELIVERIES: Columns[Delivery] = {
    "id": lambda delivery: delivery.id,
    "type": lambda delivery: delivery.type,
    "state": lambda delivery: delivery.state,
    "attempts": lambda delivery: delivery.attempts,
    "answer": lambda delivery: delivery.last_status,
    "error": lambda delivery: delivery.last_error,
    "next attempt": lambda delivery: delivery.next_at and delivery.next_at.isoformat(),
}
ADD_EXAMPLES = examples(
    "tabularium webhook add https://hooks.example.com/tabularium -e import.failed",
    "tabularium webhook test 3",
    "tabularium webhook deliveries 3",
)


@app.command("list")
@flattened
def list_webhooks(*, view: View) -> None:
    """List the webhooks; secrets are never shown."""
    with viewing(view) as here:
        listing(here, "/api/webhooks", Webhook, COLUMNS, view=view)


@app.command(epilog=ADD_EXAMPLES)
def add(
    *,
    target: Annotated[str, typer.Argument(metavar="TARGET", help="The URL that is called.")],
    events: Events = None,
    table: Annotated[
        str | None, typer.Option("--table", "-t", help="Only what concerns this table.")
    ] = None,
    feed: Annotated[
        str | None, typer.Option("--feed", help="Only what concerns this feed and its imports.")
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Register a webhook; shows the secret that signs its messages, this once."""
    body = {"url": target, "events": events or ["import.succeeded", "import.failed"]}
    if table is not None:
        body["table"] = table
    if feed is not None:
        body["feed"] = feed
    with session(url, as_json=as_json) as here:
        _show_secret(here, "POST", "/api/webhooks", body)


@app.command()
def rotate(*, id_: WebhookId, url: Url = None, as_json: AsJson = False) -> None:
    """Give a webhook a new secret; both sign for 24 hours."""
    with session(url, as_json=as_json) as here:
        _show_secret(here, "POST", f"/api/webhooks/{id_}/rotate", None)


@app.command("test")
def try_it(*, id_: WebhookId, url: Url = None, as_json: AsJson = False) -> None:
    """Send a message of the type webhook.test; `deliveries` shows what came of it."""
    with session(url, as_json=as_json) as here:
        _send(here, f"/api/webhooks/{id_}/test")


@app.command()
@flattened
def deliveries(*, id_: WebhookId, view: View) -> None:
    """List what was and is sent to a webhook, newest first."""
    with viewing(view) as here:
        listing(here, f"/api/webhooks/{id_}/deliveries", Delivery, DELIVERIES, view=view)


@app.command()
def redeliver(
    *,
    id_: WebhookId,
    delivery: Annotated[int, typer.Argument(metavar="DELIVERY", min=1, help="Its number.")],
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Send a message again, with the id that it had."""
    with session(url, as_json=as_json) as here:
        _send(here, f"/api/webhooks/{id_}/deliveries/{delivery}/redeliver")


@app.command()
def change(
    *,
    id_: WebhookId,
    target: Annotated[str | None, typer.Option("--target", help="Another URL.")] = None,
    events: Events = None,
    enabled: Annotated[
        bool | None, typer.Option("--enable/--disable", help="Start or stop sending.")
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Change what a webhook is called for, stop it, or start it again."""
    given = {"url": target, "events": events, "enabled": enabled}
    body = {name: value for name, value in given.items() if value is not None}
    if not body:
        raise UsageError("say what to change: --target, --event, --enable or --disable")
    with session(url, as_json=as_json) as here:
        answer = here.client.send("PATCH", f"/api/webhooks/{id_}", body=body)
        if as_json:
            here.screen.raw(answer.text)
            return
        here.screen.line(f"webhook {id_} is {Webhook.model_validate(decoded(answer)).state}")


@app.command()
def remove(*, id_: WebhookId, url: Url = None, as_json: AsJson = False) -> None:
    """Remove a webhook, with all that was still to be sent."""
    with session(url, as_json=as_json) as here:
        removed(here, f"/api/webhooks/{id_}", id_, f"webhook {id_} is removed")


def _show_secret(here: Session, method: str, path: str, body: Any) -> None:
    answer = here.client.send(method, path, body=body)
    if here.screen.as_json:
        here.screen.raw(answer.text)
        return
    made = decoded(answer)
    here.screen.line(f"webhook {made['id']} has the secret {made['secret']}")
    here.screen.say("the secret is not shown again; a receiver verifies messages with it")


def _send(here: Session, path: str) -> None:
    answer = here.client.send("POST", path)
    if here.screen.as_json:
        here.screen.raw(answer.text)
        return
    here.screen.line(f"delivery {decoded(answer)['id']} is on its way")
