"""A port for metrics that cannot be had is named, with its setting."""

import socket

import pytest

from shared.process.metrics import MetricsPortError, metrics_served
from tests.support.settings import settings_with


async def test_a_taken_port_is_named_with_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = settings_with(auth_url="http://127.0.0.1:9").model_copy(
            update={"metrics_port": port}
        )
        with pytest.raises(MetricsPortError, match=f"METRICS_PORT: 127.0.0.1:{port} cannot be had"):
            async with metrics_served(settings):
                pass
