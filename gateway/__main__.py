"""`python -m gateway`: one gateway process on HOST and PORT."""

import sys

from pydantic import ValidationError

from gateway.main import gateway_app
from gateway.server import server_for
from gateway.settings import GatewaySettings


def main() -> int:
    """Serve until SIGTERM or SIGINT; 2 when the settings do not hold."""
    try:
        settings = GatewaySettings()
    except ValidationError as exc:
        for error in exc.errors():
            name = "_".join(str(part) for part in error["loc"]).upper()
            sys.stderr.write(f"{name}: {error['msg']}\n")
        return 2
    server_for(gateway_app(settings)).run()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
