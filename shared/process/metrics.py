"""`/metrics` on a port of its own, for Prometheus alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import start_http_server

from shared.process.settings import ProcessSettings


class MetricsPortError(Exception):
    """Something else listens there, or the address is none of this machine."""


@asynccontextmanager
async def metrics_served(settings: ProcessSettings) -> AsyncIterator[None]:
    """Serve the process's metrics until the block ends, where the settings name a port.

    Raises MetricsPortError.
    """
    if settings.metrics_port is None:
        yield
        return
    try:
        server, _ = start_http_server(settings.metrics_port, addr=settings.metrics_host)
    except OSError as exc:
        where = f"{settings.metrics_host}:{settings.metrics_port}"
        raise MetricsPortError(f"METRICS_PORT: {where} cannot be had ({exc.strerror})") from exc
    try:
        yield
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
