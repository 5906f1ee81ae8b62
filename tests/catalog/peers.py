"""Stand-ins for records and ingest on a real port: they know what a test tells them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from shared.contracts.ingest import (
    ImportSummaries,
    ImportSummary,
    ProfilePicture,
    TableProfile,
)
from shared.contracts.records import (
    ColumnFound,
    ColumnsFound,
    ColumnsRequest,
    DescribeRequest,
    TableName,
    VisibilityRequest,
    VisibleTable,
    VisibleTables,
)


@dataclass
class Peers:
    """One server for both; `away` makes it answer 503 to a peer's calls."""

    url: str = ""
    tables: dict[tuple[str, str], VisibleTable] = field(default_factory=dict)
    """By table and the sub of a caller who may see it."""
    imports: list[ImportSummary] = field(default_factory=list)
    profiles: dict[str, list[TableProfile]] = field(default_factory=dict)
    """By table, oldest first."""
    away: set[str] = field(default_factory=set)

    def clear(self) -> None:
        """Know nothing, and be there."""
        self.tables.clear()
        self.imports.clear()
        self.profiles.clear()
        self.away.clear()

    async def describe(self, request: web.Request) -> web.Response:
        if "records" in self.away:
            return web.Response(status=503)
        asked = DescribeRequest.model_validate_json(await request.read())
        table = self.tables.get((asked.table, asked.caller.sub))
        if table is None:
            body = {"type": "t", "title": "t", "status": 404, "detail": "d", "code": "not_found"}
            return web.json_response(body, status=404)
        return web.json_response(text=table.model_dump_json())

    async def visible_among(self, request: web.Request) -> web.Response:
        if "records" in self.away:
            return web.Response(status=503)
        asked = VisibilityRequest.model_validate_json(await request.read())
        visible = [TableName(name) for name, sub in self.tables if sub == asked.caller.sub]
        answer = VisibleTables(tables=tuple(name for name in visible if name in asked.tables))
        return web.json_response(text=answer.model_dump_json())

    async def columns(self, request: web.Request) -> web.Response:
        if "records" in self.away:
            return web.Response(status=503)
        asked = ColumnsRequest.model_validate_json(await request.read())
        found = [
            ColumnFound(table=table.table, name=column.name, description=column.description)
            for (_, sub), table in self.tables.items()
            for column in table.columns
            if sub == asked.caller.sub
            and all(
                word.lower() in f"{column.name} {column.description or ''}".lower()
                for word in asked.words
            )
        ]
        answer = ColumnsFound(items=tuple(found[: asked.limit]))
        return web.json_response(text=answer.model_dump_json())

    async def last_imports(self, request: web.Request) -> web.Response:
        if "ingest" in self.away:
            return web.Response(status=503)
        table, etl = request.query.get("table"), request.query.get("etl")
        found = [
            run
            for run in self.imports
            if (table is None or run.table == table) and (etl is None or run.etl_name == etl)
        ]
        limit = int(request.query.get("limit", "10"))
        answer = ImportSummaries(items=tuple(found[:limit]))
        return web.json_response(text=answer.model_dump_json())

    async def profile(self, request: web.Request) -> web.Response:
        if "ingest" in self.away:
            return web.Response(status=503)
        asked = request.query.get("import")
        profiles = [
            profile
            for profile in self.profiles.get(request.query["table"], [])
            if asked is None or profile.import_ == int(asked)
        ]
        if not profiles:
            body = {"type": "t", "title": "t", "status": 404, "detail": "d", "code": "not_found"}
            return web.json_response(body, status=404)
        if request.path.endswith("/picture"):
            return web.json_response(text=ProfilePicture(svg="<svg/>").model_dump_json())
        return web.json_response(text=profiles[-1].model_dump_json(by_alias=True))


@asynccontextmanager
async def running_peers() -> AsyncIterator[Peers]:
    peers = Peers()
    app = web.Application()
    app.router.add_post("/internal/tables/describe", peers.describe)
    app.router.add_post("/internal/tables/visible", peers.visible_among)
    app.router.add_post("/internal/columns", peers.columns)
    app.router.add_get("/internal/imports", peers.last_imports)
    app.router.add_get("/internal/profiles", peers.profile)
    app.router.add_get("/internal/profiles/picture", peers.profile)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    peers.url = f"http://{host}:{port}"
    try:
        yield peers
    finally:
        await runner.cleanup()
