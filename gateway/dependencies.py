"""Where a gateway process's parts are put together."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from redis.asyncio import Redis

from gateway.documents import Documents
from gateway.proxy import Upstream, upstream_session
from gateway.routing import Service
from gateway.settings import GatewaySettings
from shared.client import http_client
from shared.jwt import Verifier
from shared.redis import redis_client


@dataclass(frozen=True)
class GatewayState:
    """What every request of a process shares."""

    settings: GatewaySettings
    session: aiohttp.ClientSession
    upstreams: Mapping[Service, Upstream]
    documents: Documents
    redis: Redis
    verifier: Verifier


@asynccontextmanager
async def gateway_state(settings: GatewaySettings) -> AsyncIterator[GatewayState]:
    """Open everything; closed in reverse order at the end."""
    upstreams = {service: Upstream.at(service, settings.url_of(service)) for service in Service}
    async with (
        upstream_session(settings) as session,
        redis_client(settings.redis_url.get_secret_value()) as redis,
        http_client() as http,
    ):
        yield GatewayState(
            settings=settings,
            session=session,
            upstreams=upstreams,
            documents=Documents(session, upstreams),
            redis=redis,
            verifier=Verifier(
                http,
                jwks_url=f"{settings.url_of(Service.AUTH)}/.well-known/jwks.json",
                issuer=settings.token_issuer,
                audience=settings.token_audience,
            ),
        )
