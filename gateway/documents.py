"""The services' OpenAPI documents: fetched, kept, and fetched again when they may have changed."""

import asyncio
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import structlog

from gateway.openapi import ORIGIN, merge
from gateway.proxy import Upstream
from gateway.routing import Service
from gateway.templates import Templates

FRESH_S = 5.0
"""A document is asked for again after this; so a service that was restarted is seen soon."""
TIMEOUT = aiohttp.ClientTimeout(total=3)

log = structlog.get_logger()


@dataclass(frozen=True)
class Merged:
    """The merged document, ready to be sent."""

    body: bytes
    etag: str

    @classmethod
    def of(cls, body: bytes) -> "Merged":
        """With the ETag of its bytes."""
        return cls(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


class Documents:
    """Keeps the last document of each service; one that is away is represented by its last."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        upstreams: Mapping[Service, Upstream],
        *,
        fresh_s: float = FRESH_S,
    ) -> None:
        self._session = session
        self._upstreams = upstreams
        self._fresh_s = fresh_s
        self._raw: dict[Service, bytes] = {}
        self._fetched_at = float("-inf")
        self._fetching = asyncio.Lock()
        self._body = b""
        self._merged_from: dict[Service, bytes] | None = None
        self.templates = Templates()

    async def merged(self, *, origin: str) -> Merged:
        """The document of all services, not older than five seconds.

        `origin` (scheme and host) is where the reader reaches the gateway.
        """
        async with self._fetching:
            if time.monotonic() - self._fetched_at > self._fresh_s:
                await asyncio.gather(*(self._fetch(service) for service in self._upstreams))
                self._fetched_at = time.monotonic()
            if self._merged_from != self._raw:
                self._merge()
            return Merged.of(self._body.replace(ORIGIN.encode(), origin.encode()))

    async def _fetch(self, service: Service) -> None:
        url = self._upstreams[service].url("/internal/openapi.json", "")
        try:
            async with self._session.get(url, timeout=TIMEOUT) as answer:
                answer.raise_for_status()
                body = await answer.read()
            json.loads(body)
        except (aiohttp.ClientError, TimeoutError, ValueError) as exc:
            log.warning("document_unreadable", upstream=service, error=type(exc).__name__)
            return
        self._raw[service] = body

    def _merge(self) -> None:
        documents: dict[Service, Any] = {
            service: json.loads(body) for service, body in self._raw.items()
        }
        missing = [service for service in self._upstreams if service not in documents]
        document = merge(documents, missing=missing)
        self._body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        self._merged_from = dict(self._raw)
        self.templates = Templates(document["paths"])
