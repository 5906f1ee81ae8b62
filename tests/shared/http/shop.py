"""A small service, built as ours are: what the tests of `shared.http` run."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
from fastapi import APIRouter, FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.http.app import MIB, build_app
from shared.process.settings import ServiceSettings
from shared.store.engine import database_engine
from tests.support.databases import Database
from tests.support.serving import serving


@dataclass(frozen=True)
class Shop:
    """What its process holds."""

    engine: AsyncEngine
    greeting: str
    jammed: Sequence[str]
    """Why its till does not open; empty when it does."""


def shop_settings(database: Database) -> ServiceSettings:
    peers = ("auth", "catalog", "records", "ingest")
    return ServiceSettings.model_validate(
        {
            **{f"{name}_url": "http://127.0.0.1:9" for name in peers},
            "redis_url": "redis://127.0.0.1:9",
            "database_url": database.url(),
            "service_client_id": "shop",
            "service_client_secret": "only-for-tests",
        }
    )


def shop_app(
    database: Database,
    routers: Sequence[APIRouter],
    *,
    jammed: Sequence[str] = (),
    body_limit_bytes: int = MIB,
) -> FastAPI:
    @asynccontextmanager
    async def opened(settings: ServiceSettings) -> AsyncIterator[Shop]:
        url = settings.database_url.get_secret_value()
        async with database_engine(url, application_name="tabularium-shop:test") as engine:
            yield Shop(engine, greeting="good morning", jammed=jammed)

    async def till(shop: Shop) -> None:
        if shop.jammed:
            raise ConnectionError(shop.jammed[0])

    return build_app(
        shop_settings(database),
        service="shop",
        title="Shop",
        opened=opened,
        routers=routers,
        probes={"till": till},
        body_limit_bytes=body_limit_bytes,
    )


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the app on a real port."""
    async with (
        serving(app) as url,
        httpx2.AsyncClient(base_url=url, trust_env=False) as client,
    ):
        yield client
