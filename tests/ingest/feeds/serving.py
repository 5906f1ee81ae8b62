"""A server with one file, as feeds fetch it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

ROWS = b"name,age\nann,7\nbob,8\n"


@dataclass
class FileServer:
    """A server with one file, and what was asked of it."""

    url: str = ""
    content: bytes = ROWS
    headers: dict[str, str] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    """Those of the next answers; then 200."""
    asked: list[dict[str, str]] = field(default_factory=list)
    endless: bool = False

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(dict(request.headers))
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 302:
            raise web.HTTPFound("http://127.0.0.2:9/elsewhere")
        if status != 200:
            return web.Response(status=status)
        etag = self.headers.get("ETag")
        if etag is not None and request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers=self.headers)
        if self.endless:
            response = web.StreamResponse()
            await response.prepare(request)
            while True:
                await response.write(b"ann,7\n" * 10_000)
        return web.Response(body=self.content, headers=self.headers)


@asynccontextmanager
async def file_server() -> AsyncIterator[FileServer]:
    server = FileServer()
    app = web.Application()
    app.router.add_get("/{path:.*}", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/people.csv"
    try:
        yield server
    finally:
        await runner.cleanup()
