"""Traces are off unless a receiver is named, and one that is away holds up nothing."""

import os
import subprocess
import sys
import threading

from deploy.local.processes import free_port
from shared.process import tracing
from tests.support.profile import only_in_full
from tests.support.settings import settings_with

WITHOUT = """
import sys
import gateway.main, services.ingest.worker, services.records.main
from shared.process import tracing
with tracing.span("nothing"):
    assert tracing.headers() == {} and tracing.trace_id() is None
print([name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exp"))])
"""


@only_in_full
def test_without_a_receiver_the_sdk_is_not_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


async def test_a_receiver_that_is_away_holds_up_nothing() -> None:
    settings = settings_with(auth_url="http://127.0.0.1:9").model_copy(
        update={"otel_exporter_otlp_endpoint": f"http://127.0.0.1:{free_port()}"}
    )
    async with tracing.traced(settings, service="of-a-test"):
        with tracing.span("a request", kind="server"):
            line = tracing.traceparent()
            assert line is not None
            assert tracing.trace_id() == line.split("-")[1]
        with tracing.span("its work", parent=tracing.parent_in(line)):
            assert tracing.trace_id() == line.split("-")[1]
    assert not tracing.is_on()
    # One that goes on would log into whatever comes after.
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("Otel")]
