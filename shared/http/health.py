"""`/healthz`, `/readyz` and `/metrics`, the same for every process."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, Histogram, generate_latest

from shared import __version__
from shared.contracts.base import AnswerModel
from shared.errors import UnavailableError

Probe = Callable[[Any], Awaitable[object]]
"""Takes the process's state; raises unless a dependency responds."""

QUIET_ROUTES = ("/healthz", "/readyz", "/metrics")
"""Asked every few seconds by machines that judge for themselves: neither logged nor traced."""
PROBE_TIMEOUT_S = 2.0

request_seconds = Histogram(
    "tabularium_http_request_seconds",
    "Duration of HTTP requests by route template and status.",
    ["service", "method", "route", "status"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120),
)

log = structlog.get_logger()


def note_request(service: str, method: str, route: str, *, status: int, duration_s: float) -> None:
    """Count a request that is over; `route` is a template, so that there are few."""
    _requests(service, method, route, status).observe(duration_s)


@functools.lru_cache(maxsize=4096)  # looking it up by its labels takes longer than counting
def _requests(service: str, method: str, route: str, status: int) -> Histogram:
    return request_seconds.labels(service, method, route, str(status))


class Health(AnswerModel):
    """The process is alive."""

    status: Literal["ok"] = "ok"
    version: str = __version__


class Readiness(AnswerModel):
    """Every dependency by name: `ok`, or what is wrong with it."""

    status: Literal["ok", "down"]
    checks: dict[str, str]


async def run_probes(probes: Mapping[str, Callable[[], Awaitable[object]]]) -> Readiness:
    """Check all dependencies concurrently, each for at most two seconds."""
    answers = await asyncio.gather(*(_one(name, probe) for name, probe in probes.items()))
    checks = dict(zip(probes, answers, strict=True))
    healthy = all(answer == "ok" for answer in answers)
    return Readiness(status="ok" if healthy else "down", checks=checks)


async def _one(name: str, probe: Callable[[], Awaitable[object]]) -> str:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            await probe()
    except TimeoutError:
        return f"no answer within {PROBE_TIMEOUT_S:g} s"
    except UnavailableError as exc:
        log.warning("probe_failed", probe=name, error=exc.detail)
        return exc.detail
    except Exception as exc:  # noqa: BLE001 - an edge: whatever a dependency raises means "not ready"
        log.warning("probe_failed", probe=name, error=type(exc).__name__)
        return f"down ({type(exc).__name__})"
    return "ok"


def health_router(probes: Mapping[str, Probe], *, with_metrics: bool) -> APIRouter:
    """The routes for operators; they are not in the public document."""
    router = APIRouter(include_in_schema=False)

    @router.get("/healthz")
    async def healthz() -> Health:
        return Health()

    @router.get("/readyz")
    async def readyz(request: Request) -> JSONResponse:
        process = request.state.process
        bound = {name: functools.partial(probe, process) for name, probe in probes.items()}
        readiness = await run_probes(bound)
        return JSONResponse(
            readiness.model_dump(), status_code=200 if readiness.status == "ok" else 503
        )

    if with_metrics:

        @router.get("/metrics")
        async def metrics() -> Response:
            return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router
