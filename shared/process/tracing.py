"""Traces by OpenTelemetry: the way of a request from the gateway to a worker and PostgreSQL.

Off unless OTEL_EXPORTER_OTLP_ENDPOINT is set: OpenTelemetry's SDK is not even imported then, and a
span is one comparison. All other `OTEL_…` variables are the SDK's own. Names of attributes are
those of OpenTelemetry's semantic conventions, or begin with `tabularium.`.
"""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from shared import __version__
from shared.process.settings import ProcessSettings

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

Kind = Literal["internal", "server", "client", "consumer"]
Attributes = Mapping[str, str | int | None]
"""None: left out."""

LAST_SPANS_S = 2.0
"""How long, at most, a process that stops waits for its last spans to be taken."""
PARENT = "traceparent"
"""The header of the W3C's Trace Context, and the key of a parent; `tracestate` goes beside it."""


@dataclass(frozen=True, slots=True)
class _Tracing:
    provider: "TracerProvider"
    exporter: "OTLPSpanExporter"
    tracer: "Tracer"


_on: _Tracing | None = None


@asynccontextmanager
async def traced(settings: ProcessSettings, *, service: str) -> AsyncIterator[None]:
    """Send this process's traces until the block ends, where the settings name a receiver.

    A receiver that is away holds up nothing: spans that do not fit the exporter's queue are lost.
    """
    global _on  # noqa: PLW0603 - one for the process, as its logging is
    if not settings.otel_exporter_otlp_endpoint:
        yield
        return
    tracing = _begun(settings.otel_exporter_otlp_endpoint, service)
    _on = tracing
    try:
        yield
    finally:
        _on = None
        await asyncio.to_thread(_end, tracing)


def is_on() -> bool:
    """Whether spans are recorded."""
    return _on is not None


@contextmanager
def span(
    name: str,
    *,
    kind: Kind = "internal",
    parent: Mapping[str, str] | None = None,
    attributes: Attributes | None = None,
) -> Iterator[None]:
    """Record what is done in the block; what it raises is named by its type alone.

    The parent is what `parent` says in the headers of Trace Context, else the span around it.
    """
    if _on is None:
        yield
        return
    from opentelemetry import trace  # noqa: PLC0415

    new = _on.tracer.start_span(
        name,
        context=None if parent is None else _context(parent),
        kind=trace.SpanKind[kind.upper()],
        attributes=_given(attributes or {}),
    )
    with trace.use_span(
        new, end_on_exit=True, record_exception=False, set_status_on_exception=False
    ):
        try:
            yield
        except BaseException as exc:
            _mark_failed(new, type(exc).__name__)
            raise


def note(attributes: Attributes) -> None:
    """Say something more about the current span."""
    if _on is not None:
        _current().set_attributes(_given(attributes))


def failed(reason: str) -> None:
    """Mark the current span as failed: by the code of a problem, or a word."""
    if _on is not None:
        _mark_failed(_current(), reason)


def answered(method: str, route: str, status: int) -> None:
    """Say of the current span what the request was for and how it was answered."""
    if _on is None:
        return
    current = _current()
    current.update_name(f"{method} {route}")
    current.set_attributes({"http.route": route, "http.response.status_code": status})
    if status >= 500:
        _mark_failed(current, str(status))


def headers() -> dict[str, str]:
    """What tells another process of the current span; empty where there is none."""
    if _on is None:
        return {}
    carrier: dict[str, str] = {}
    _propagator().inject(carrier)
    return carrier


def traceparent() -> str | None:
    """The current span in one line, to be kept for later work."""
    return headers().get(PARENT)


def trace_id() -> str | None:
    """The current trace as 32 hexadecimal digits; None where nothing is traced."""
    if _on is None:
        return None
    parts = (traceparent() or "").split("-")
    return parts[1] if len(parts) == 4 else None


def parent_in(line: str | None) -> dict[str, str] | None:
    """The parent that `traceparent` gave to be kept; None without one."""
    return None if line is None else {PARENT: line}


def parent_of(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """The parent that an ASGI request's headers name."""
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in pairs
        if name in (b"traceparent", b"tracestate")
    }


def _begun(endpoint: str, service: str) -> _Tracing:
    # Half a second and 17 MB, for those alone who want traces.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    names = {"service.version": __version__, "service.namespace": "tabularium"}
    if "OTEL_SERVICE_NAME" not in os.environ:
        names["service.name"] = f"tabularium-{service}"
    url = f"{endpoint.rstrip('/')}/v1/traces"
    provider = TracerProvider(resource=Resource.create(names), shutdown_on_exit=False)
    exporter = OTLPSpanExporter(url)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return _Tracing(provider, exporter, provider.get_tracer("tabularium", __version__))


def _end(tracing: _Tracing) -> None:
    """Send the last spans, or give them up: no thread of the exporter goes on behind this.

    But one whose receiver takes a connection and says nothing; it is a daemon, for which no process
    waits.
    """
    last = threading.Thread(target=tracing.provider.shutdown, daemon=True)
    last.start()
    last.join(LAST_SPANS_S)
    if last.is_alive():
        # Wakes it where it waits to try again.
        tracing.exporter.shutdown()  # type: ignore[no-untyped-call]
        last.join(LAST_SPANS_S)


def _propagator() -> "TraceContextTextMapPropagator":
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415
        TraceContextTextMapPropagator,
    )

    return TraceContextTextMapPropagator()


def _context(parent: Mapping[str, str]) -> "Context":
    from opentelemetry.context import Context  # noqa: PLC0415

    return _propagator().extract(parent, context=Context())


def _current() -> "Span":
    from opentelemetry import trace  # noqa: PLC0415

    return trace.get_current_span()


def _mark_failed(which: "Span", reason: str) -> None:
    from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415

    which.set_status(Status(StatusCode.ERROR, reason))
    which.set_attribute("error.type", reason)


def _given(attributes: Attributes) -> dict[str, str | int]:
    return {name: value for name, value in attributes.items() if value is not None}
