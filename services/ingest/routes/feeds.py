"""Feeds: imports that come again; made, looked at, changed, run, reset, removed."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request, Response

from services.ingest.answers import ImportAnswer
from services.ingest.dependencies import Body, Importer, Process, RequestKey
from services.ingest.feeds.answers import FeedAnswer, feed_answer
from services.ingest.feeds.domain import FeedFilter, Health
from services.ingest.routes.forms import json_of, multipart, or_json
from services.ingest.routes.imports import accepted
from services.ingest.routes.schemas import Limit
from services.ingest.routes.schemas_of_feeds import (
    FEED_EXAMPLES,
    FeedChange,
    FeedReset,
    NewFeed,
    PushForm,
    PushUpload,
    no_fields,
    upload_named,
)
from shared.contracts.base import LARGEST_BIGINT, Page, StorableText
from shared.http.app import STREAMED
from shared.http.idempotency import not_idempotent
from shared.http.json_bodies import JsonRoute
from shared.http.paging import page

router = APIRouter(prefix="/api/feeds", tags=["feeds"], route_class=JsonRoute)

Name = Annotated[StorableText, Path()]


@router.post(
    "",
    summary="Make a feed",
    status_code=201,
    openapi_extra={"requestBody": {"content": {"application/json": {"examples": FEED_EXAMPLES}}}},
)
async def feeds_create(
    process: Process, caller: Importer, new: NewFeed, response: Response
) -> FeedAnswer:
    """Keep an import that comes again: its table, options, source, schedule and expectations.

    What cannot work (a wrong cron expression, zone, column or log-in) is refused now.
    """
    like = None if new.like is None else await process.feeds.like(caller, new.like)
    feed = await process.feeds.create(
        caller, new.name, new.settings(like), given_headers=new.headers
    )
    response.headers["Location"] = f"/api/feeds/{quote(feed.name, safe='')}"
    return feed_answer(feed)


@router.get("", summary="List feeds")
async def feeds_list(
    request: Request,
    process: Process,
    caller: Importer,
    table: StorableText | None = None,
    health: Health | None = None,
    after: Annotated[
        int, Query(ge=0, le=LARGEST_BIGINT, description="Where the page before ended.")
    ] = 0,
    limit: Limit = 25,
) -> Page[FeedAnswer]:
    """Your feeds (an admin's: everyone's), oldest first."""
    which = FeedFilter(table=table, health=health, after=after)
    return page(
        request, await process.feeds.page(caller, which, limit=limit), feed_answer, by="after"
    )


@router.get("/{name:segment}", summary="Look at a feed")
async def feeds_read(process: Process, caller: Importer, name: Name) -> FeedAnswer:
    """What it does, how it does, when it runs next, and its last 30 runs."""
    return feed_answer(await process.feeds.look(caller, name))


@router.patch("/{name:segment}", summary="Change a feed")
async def feeds_update(
    process: Process, caller: Importer, name: Name, change: FeedChange
) -> FeedAnswer:
    """Change what is named; `paused` stops its schedule and starts it again."""
    feed = await process.feeds.look(caller, name)
    changed = await process.feeds.change(
        caller, feed, change.applied_to(feed.settings), given_headers=change.headers
    )
    return feed_answer(changed)


@router.delete("/{name:segment}", summary="Remove a feed", status_code=204)
async def feeds_delete(process: Process, caller: Importer, name: Name) -> None:
    """Remove a feed; what it loaded stays, and a run that waits will fail."""
    await process.feeds.remove(caller, name)


@router.post(
    "/{name:segment}/runs",
    summary="Run a feed now",
    status_code=202,
    max_body_size=STREAMED,
    openapi_extra=or_json(multipart(PushForm, example={}), PushUpload, required=False),
)
@not_idempotent("a multipart body differs each time; its import's row keeps the key")
async def feeds_run(
    process: Process,
    caller: Importer,
    name: Name,
    body: Body,
    response: Response,
    request_key: RequestKey,
) -> ImportAnswer:
    """Run a feed; one of the kind push takes a file, or an `upload`, and the others no body.

    A run that is open is answered as it is; there is never a second one beside it.
    """
    feed = await process.feeds.look(caller, name)
    if body.media_type == "application/json":
        upload_id = upload_named(await json_of(body, PushUpload))
        run = await process.feeds.push_upload(caller, feed, upload_id, request_key=request_key)
    elif body.media_type:
        run = await process.feeds.push(caller, feed, body, no_fields, request_key=request_key)
    else:
        run = await process.feeds.run(caller, feed, request_key=request_key)
    return accepted(run, response)


@router.post("/{name:segment}/reset", summary="Set where a feed goes on")
async def feeds_reset(
    process: Process, caller: Importer, name: Name, reset: FeedReset
) -> FeedAnswer:
    """Set the cursor of an incremental feed; the next file is loaded even if it is the same."""
    return feed_answer(await process.feeds.reset(caller, name, reset.cursor))
