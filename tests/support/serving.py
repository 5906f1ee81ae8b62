"""A service's app on a real port, in the test's own event loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from deploy.local.processes import free_port


@asynccontextmanager
async def serving(app: FastAPI, *, port: int | None = None) -> AsyncIterator[str]:
    """Run the app, lifespan and all; yields its base URL."""
    port = port or free_port()
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_config=None, lifespan="on", loop="none"
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    url = f"http://127.0.0.1:{port}"
    while not server.started:
        if task.done():
            task.result()
            raise RuntimeError("the app did not start")
        await asyncio.sleep(0)
    try:
        yield url
    finally:
        server.should_exit = True
        await task
