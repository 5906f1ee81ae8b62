"""structlog for every process: an event and fields, JSON to stdout, pretty on a terminal.

Never a body, token or password.
"""

import json
import logging
import sys
from datetime import UTC, datetime

import structlog

from shared.process.request_id import current_request_id
from shared.process.settings import LogFormat


def configure_logging(*, service: str, level: str, log_format: LogFormat) -> None:
    """Render structlog's events and the standard library's records in one and the same way."""
    before_rendering: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_request_id,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: list[structlog.typing.Processor] = (
        # Tracebacks without the values of variables, which may be secrets.
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if _is_pretty(log_format)
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *before_rendering],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for noisy in ("uvicorn.access", "httpx2", "httpcore2", "arq.worker"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    # Our own events go straight out: a way through the standard library's records would cost four
    # times as much, on every request of every process.
    structlog.configure(
        processors=[*before_rendering, *renderer],
        logger_factory=StandardOutput,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)


class RequestLog:
    """Writes the one line that every request leaves behind.

    It is the line that structlog would write; but its chain of processors takes a tenth of the
    time of a short answer, so where lines are JSON this one is put together directly.
    """

    def __init__(self, service: str, *, level: str, log_format: LogFormat) -> None:
        self._service = service
        shown = logging.getLevelNamesMapping()[level] <= logging.INFO
        self._direct = shown and not _is_pretty(log_format)
        self._output = StandardOutput()

    def info(self, event: str, **fields: object) -> None:
        """Write an event with its fields, which JSON must be able to say."""
        if not self._direct:
            structlog.get_logger().info(event, service=self._service, **fields)
            return
        line = {
            **fields,
            "event": event,
            "service": self._service,
            "request_id": current_request_id.get(),
            "level": "info",
            "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        }
        self._output.msg(json.dumps(line))


class StandardOutput:
    """Writes rendered events to whatever standard output is at that moment, line by line."""

    def __init__(self, *_names: object) -> None: ...

    def msg(self, line: str) -> None:
        """Write one line."""
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    debug = info = warning = error = critical = exception = fatal = log = msg


def _is_pretty(log_format: LogFormat) -> bool:
    return log_format is LogFormat.PRETTY or (log_format is LogFormat.AUTO and sys.stdout.isatty())


def _add_request_id(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    request_id = current_request_id.get()
    if request_id is not None:
        event.setdefault("request_id", request_id)
    return event
