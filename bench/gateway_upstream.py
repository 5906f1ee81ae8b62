"""Two services to stand behind the gateway and nginx.

`app` is bare ASGI (pages, a large download, an upload sink): what it does costs as little as
possible, so that what is measured is the proxy. `service` is built as our services are.
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI, Response
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.http.app import build_app
from shared.process.settings import ProcessSettings
from shared.store.engine import database_engine

PAGE = json.dumps(
    {
        "items": [
            {
                "id": number,
                "name": f"Person {number}",
                "email": f"person{number}@example.com",
                "born": "1987-05-04",
                "seen_at": "2026-11-21T08:15:00Z",
                "age": 39,
                "balance": "1024.50",
                "active": True,
                "city": "Torino",
                "note": 'a text with commas, and "quotes"',
                "points": 12345678901 + number,
            }
            for number in range(25)
        ],
        "next": "/api/tables/people/records?cursor=eyJpZCI6MjV9&limit=25",
        "total": None,
    }
).encode()
SMALL = b'{"id":1,"name":"Ann"}'
BLOCK = bytes(range(256)) * 1024
GIGABYTE = 1024**3
JWKS_PATH = "/.well-known/jwks.json"
JWKS_VARIABLE = "BENCH_JWKS"
NOWHERE = "postgresql://127.0.0.1:9/none"


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    path = scope["path"]
    if path == JWKS_PATH:
        await answer(send, keys())
        return
    if path.endswith("/export"):
        await answer_headers(send, GIGABYTE, b"application/octet-stream")
        for number in range(GIGABYTE // len(BLOCK)):
            more = (number + 1) * len(BLOCK) < GIGABYTE
            await send({"type": "http.response.body", "body": BLOCK, "more_body": more})
        return
    if scope["method"] == "POST":
        size_bytes = 0
        more = True
        while more:
            message = await receive()
            size_bytes += len(message.get("body", b""))
            more = message.get("more_body", False)
        await answer(send, b'{"bytes":%d}' % size_bytes)
        return
    await answer(send, PAGE if path.endswith("/records") else SMALL)


async def answer(send: Any, body: bytes) -> None:
    await answer_headers(send, len(body), b"application/json")
    await send({"type": "http.response.body", "body": body})


async def answer_headers(send: Any, size_bytes: int, media_type: bytes) -> None:
    headers = [(b"content-type", media_type), (b"content-length", str(size_bytes).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


def keys() -> bytes:
    """The keys of the bench's tokens: the service stands for auth, too."""
    return os.environ[JWKS_VARIABLE].encode()


@dataclass(frozen=True)
class Idle:
    """What its process holds: an engine that nobody asks for a connection."""

    engine: AsyncEngine


def service() -> FastAPI:
    """A service as ours are built (routing, request ids, a log line, a metric), without work."""
    router = APIRouter()

    @router.get("/api/tables/{table:segment}/records", tags=["records"])
    async def records_list(table: str, limit: int = 25, cursor: str | None = None) -> Response:
        del table, limit, cursor
        return Response(PAGE, media_type="application/json")

    @router.get(JWKS_PATH)
    async def jwks() -> Response:
        return Response(keys(), media_type="application/json")

    @asynccontextmanager
    async def opened(_settings: ProcessSettings) -> AsyncIterator[Idle]:
        async with database_engine(NOWHERE, application_name="tabularium-bench:idle") as engine:
            yield Idle(engine)

    return build_app(
        ProcessSettings(),
        service="bench",
        title="bench",
        opened=opened,
        routers=[router],
    )
