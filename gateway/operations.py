"""`/healthz`, `/readyz`, `/metrics` and `/openapi.json`: the gateway's own answers, in short."""

from collections.abc import Awaitable, Callable
from functools import partial

import aiohttp
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from yarl import URL

from gateway.incoming import Incoming
from gateway.process import GatewayState
from gateway.proxy import Upstream
from gateway.reply import Reply
from shared.http.health import Health, run_probes
from shared.store.redis import probe_redis


async def healthz(_state: GatewayState, _incoming: Incoming, reply: Reply) -> None:
    """The process is alive."""
    await reply.whole(200, Health().model_dump_json().encode(), media_type="application/json")


async def readyz(state: GatewayState, _incoming: Incoming, reply: Reply) -> None:
    """Each service's own readiness, and Redis, by name."""
    probes: dict[str, Callable[[], Awaitable[None]]] = {
        service.value: partial(_probe_service, state.session, upstream)
        for service, upstream in state.upstreams.items()
    }
    probes["redis"] = partial(probe_redis, state.redis)
    readiness = await run_probes(probes)
    await reply.whole(
        200 if readiness.status == "ok" else 503,
        readiness.model_dump_json().encode(),
        media_type="application/json",
    )


async def _probe_service(session: aiohttp.ClientSession, upstream: Upstream) -> None:
    async with session.get(upstream.url("/readyz", "")) as answer:
        answer.raise_for_status()


async def metrics(_state: GatewayState, _incoming: Incoming, reply: Reply) -> None:
    """Prometheus's text format."""
    await reply.whole(200, generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def openapi(state: GatewayState, incoming: Incoming, reply: Reply) -> None:
    """The merged document, with an ETag."""
    merged = await state.documents.merged(origin=_origin(state, incoming))
    headers = {"ETag": merged.etag, "Cache-Control": "no-cache", "Vary": "Host"}
    if incoming.if_none_match == merged.etag:
        await reply.whole(304, b"", media_type="application/json", headers=headers)
        return
    await reply.whole(200, merged.body, media_type="application/json", headers=headers)


def _origin(state: GatewayState, incoming: Incoming) -> str:
    """Where the caller reaches us.

    The settings know the scheme better than a connection behind a proxy that ends TLS.
    """
    public = URL(state.settings.public_url)
    if incoming.host in (public.authority, public.host):
        return str(public.origin())
    return f"{incoming.scheme}://{incoming.host}"
