"""A plain service to stand behind gateways and nginx: pages, a large download, an upload sink.

`uvicorn bench.gateway_upstream:app`; what it does costs as little as possible, so that what is
measured is the proxy in front of it.
"""

import json
from typing import Any

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


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    path = scope["path"]
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
