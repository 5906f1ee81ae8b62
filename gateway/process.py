"""Where a gateway process's parts are put together."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from redis.asyncio import Redis

from gateway.alerts.watch import ErrorWatch, error_watch
from gateway.api_keys import ApiKeys
from gateway.documents import Documents
from gateway.proxy import Upstream, upstream_session
from gateway.rate_limit import RateLimiter
from gateway.routing import Service
from gateway.settings import GatewaySettings
from gateway.under_way import UnderWay
from shared.http.peers import http_client
from shared.process.metrics import metrics_served
from shared.process.settings import MailSettings
from shared.process.tracing import traced
from shared.security.tokens import KeySource, Verifier, verifying
from shared.store.redis import redis_client

REDIS_TIMEOUT_S = 0.5
"""Every request waits for its count; Redis that takes longer than this counts as away."""


@dataclass(frozen=True)
class GatewayState:
    """What every request of a process shares."""

    settings: GatewaySettings
    session: aiohttp.ClientSession
    upstreams: Mapping[Service, Upstream]
    documents: Documents
    redis: Redis
    limiter: RateLimiter
    verifier: Verifier
    api_keys: ApiKeys
    bodies: UnderWay
    """Those that come in pieces."""
    exchanges: UnderWay
    """Requests that have been passed on, or are about to be."""
    watch: ErrorWatch | None
    """None when nobody gets mails about errors."""


@asynccontextmanager
async def gateway_state(
    settings: GatewaySettings, mail: MailSettings | None = None, keys: KeySource | None = None
) -> AsyncIterator[GatewayState]:
    """Open everything; closed in reverse order at the end.

    Without `mail` no error is mailed; without `keys` those of access tokens are auth's.
    """
    upstreams = {service: Upstream.at(service, settings.url_of(service)) for service in Service}
    async with (
        upstream_session(settings) as session,
        redis_client(settings.redis_url.get_secret_value(), timeout_s=REDIS_TIMEOUT_S) as redis,
        http_client() as http,
        verifying(http, settings, keys=keys) as verifier,
        metrics_served(settings),
        traced(settings, service="gateway"),
        error_watch(
            redis,
            mail,
            recipients=settings.admin_emails,
            window_s=settings.alert_window_s,
        ) as watch,
    ):
        yield GatewayState(
            settings=settings,
            session=session,
            upstreams=upstreams,
            documents=Documents(session, upstreams),
            redis=redis,
            limiter=RateLimiter(redis),
            verifier=verifier,
            api_keys=ApiKeys(http, settings.url_of(Service.AUTH), verifier),
            bodies=UnderWay(
                limit=settings.bodies_per_subject,
                message="of your requests are sending their bodies; wait for one to end",
            ),
            exchanges=UnderWay(
                limit=settings.exchanges_per_subject,
                message="of your requests are being answered; wait for one to end",
            ),
            watch=watch,
        )
