"""The peer: the plainest FastAPI + asyncpg endpoint that answers a page, and checks nothing.

`uvicorn bench.records_plain:create_app --factory`, with `DATABASE_URL`.
"""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from fastapi import FastAPI, Request, Response

COLUMNS = "id, name, email, born, seen, age, amount, active, note, remark, big"
PAGE = (
    f"SELECT coalesce(json_agg(r), '[]')::text FROM (SELECT {COLUMNS} FROM data.people"
    " WHERE id > $1 ORDER BY id LIMIT $2) r"
)


def create_app() -> FastAPI:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        async with asyncpg.create_pool(os.environ["DATABASE_URL"]) as pool:
            yield {"pool": pool}

    app = FastAPI(lifespan=lifespan)

    @app.get("/plain")
    async def page(request: Request, after: int = 0, limit: int = 25) -> Response:
        text = await request.state.pool.fetchval(PAGE, after, limit)
        return Response(text, media_type="application/json")

    return app
