"""Answers whose JSON PostgreSQL has written already, put together as bytes."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response

from services.records.domain import PageOfGroups, PageOfRecords, Record, Written

JSON = "application/json"


def table_path(name: str) -> str:
    """The path of a table."""
    return f"/api/tables/{quote(name, safe='')}"


def record(answer: Record, *, status: int = 200, table: str | None = None) -> Response:
    """A record with its ETag; with `table`, also where it is (`Location`)."""
    headers = {"ETag": answer.etag}
    if table is not None:
        # PostgreSQL writes `id` first.
        record_id = answer.json[len('{"id":') :].partition(",")[0].rstrip("}")
        headers["Location"] = f"{table_path(table)}/records/{record_id}"
    return Response(answer.json.encode(), status, headers=headers, media_type=JSON)


def page(records: PageOfRecords) -> Response:
    """A page of records, with `Link` when there are more."""
    following = "null" if records.next is None else f'"{records.next}"'
    total = "null" if records.total is None else str(records.total)
    headers = {} if records.next is None else {"Link": f'<{records.next}>; rel="next"'}
    body = f'{{"items":{records.items},"next":{following},"total":{total}}}'
    return Response(body.encode(), headers=headers, media_type=JSON)


def numbered_page(records: PageOfRecords) -> Response:
    """A page of the verb face."""
    counted = f'"page":{records.number},"limit":{records.limit},"total":{records.total}'
    body = f'{{"items":{records.items},{counted}}}'
    return Response(body.encode(), media_type=JSON)


def groups(page: PageOfGroups) -> Response:
    """A page of a summary, with `Link` when there are more."""
    following = "null" if page.next is None else f'"{page.next}"'
    headers = {} if page.next is None else {"Link": f'<{page.next}>; rel="next"'}
    body = f'{{"items":{page.items},"next":{following},"groups":{page.groups}}}'
    return Response(body.encode(), headers=headers, media_type=JSON)


def bulk(written: Sequence[Written]) -> Response:
    """What became of an array."""
    inserted = sum(each.inserted for each in written)
    ids = ",".join(str(each.id) for each in written)
    body = f'{{"inserted":{inserted},"updated":{len(written) - inserted},"ids":[{ids}]}}'
    return Response(body.encode(), 201, media_type=JSON)


def document(content: Mapping[str, Any], *, etag: str) -> Response:
    """A document with its ETag; whoever keeps it asks again before using it."""
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    return Response(json.dumps(content).encode(), headers=headers, media_type=JSON)


def conditional(response: Response, request: Request) -> Response:
    """304 without a body for a reader who has this ETag already."""
    known = request.headers.get("If-None-Match", "")
    tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
    if response.headers["ETag"] not in tags and "*" not in tags:
        return response
    return Response(status_code=304, headers={"ETag": response.headers["ETag"]})
